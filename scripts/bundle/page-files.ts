import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "rolldown";
import { bundledModules } from "./bundled-modules.ts";
import { packagesOf } from "./packages.ts";

const STATUS_PAGE = "@multipooler/status-page";

/** Puts the files that the status page has for browsers where its module finds them: in `dist`. */
export function pageFiles(): Plugin {
  return {
    name: "page-files",
    generateBundle(_options, bundle) {
      const page = packagesOf(bundledModules(bundle)).find(({ name }) => name === STATUS_PAGE);
      if (page === undefined) {
        return;
      }
      const dist = join(page.folder, "dist");
      for (const fileName of globSync("{browser,page}/*.{css,html,js,svg}", { cwd: dist })) {
        this.emitFile({ type: "asset", fileName, source: readFileSync(join(dist, fileName)) });
      }
    },
  };
}
