import type { Plugin } from "rolldown";
import { bundledModules } from "./bundled-modules.ts";
import { licenseText } from "./license-text.ts";
import { isOwn, packagesOf } from "./packages.ts";

/** Writes the licenses of others' packages that are in the bundle beside it: they ask for that. */
export function thirdPartyNotices(): Plugin {
  return {
    name: "third-party-notices",
    generateBundle(_options, bundle) {
      const others = packagesOf(bundledModules(bundle)).filter((each) => !isOwn(each));
      const notices = others.map(
        (each) => `${each.name} ${each.version}, ${each.license}\n\n${licenseText(each)}\n`,
      );
      this.emitFile({
        type: "asset",
        // Not called LICENSE…: for pnpm that would be the package's own, and it would not add that.
        fileName: "THIRD-PARTY-NOTICES.txt",
        source: notices.join(`\n${"-".repeat(80)}\n\n`),
      });
    },
  };
}
