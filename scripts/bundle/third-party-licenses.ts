import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "rolldown";
import { packagesOf } from "./packages.ts";
import type { BundledPackage } from "./packages.ts";

const OWN = "@multipooler/";

/** Writes the licenses of others' packages that are in the bundle beside it: they ask for that. */
export function thirdPartyLicenses(): Plugin {
  return {
    name: "third-party-licenses",
    generateBundle(_options, bundle) {
      const modules = Object.values(bundle).flatMap((file) =>
        file.type === "chunk" ? file.moduleIds : [],
      );
      const others = packagesOf(modules).filter(({ name }) => !name.startsWith(OWN));
      this.emitFile({
        type: "asset",
        fileName: "THIRD-PARTY-NOTICES.txt",
        source: others.map(noticeOf).join(`\n${"-".repeat(80)}\n\n`),
      });
    },
  };
}

function noticeOf({ folder, name, version, license }: BundledPackage): string {
  const file = readdirSync(folder).find((each) => /^(?:licen[cs]e|copying)(?:\.\w+)?$/i.test(each));
  const text = file === undefined ? "" : `\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  return `${name} ${version}, ${license}\n${text}`;
}
