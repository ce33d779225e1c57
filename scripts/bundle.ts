/**
 * Bundles the program whose folder is the current one: `src/main.ts` with everything that it imports becomes
 * `dist/main.js` and the parts that it loads later. Types were checked before.
 */
import { join } from "node:path";
import { rolldown } from "rolldown";
import { billOfMaterials } from "./bundle/bill-of-materials.ts";
import { pageFiles } from "./bundle/page-files.ts";
import { readPackage } from "./gates/workspace.ts";
import { thirdPartyNotices } from "./bundle/third-party-notices.ts";

const folder = process.cwd();
await using build = await rolldown({
  input: join(folder, "src", "main.ts"),
  platform: "node",
  plugins: [thirdPartyNotices(), billOfMaterials(readPackage(folder, ".")), pageFiles()],
  checks: { bundlerTimings: false },
  onLog(level, log, handle) {
    // A part that is missing would be noticed by an operator, and not by who builds.
    handle(level === "warn" ? "error" : level, log);
  },
});
await build.write({
  dir: join(folder, "dist"),
  cleanDir: true,
  format: "esm",
  // The same names in each build: stacks of errors name them, and a new build replaces all of an old one.
  chunkFileNames: "[name].js",
  sourcemap: true,
  sourcemapExcludeSources: true,
  // Node keeps the text of what it has loaded. Names stay, for the stacks of errors.
  minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
});
