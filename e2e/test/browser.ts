import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** As distributions call it. */
const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

export const BROWSER_ADVICE: string =
  "The status page was not tested: there is no Chromium on the PATH (Debian: apt-get install chromium); " +
  "MULTIPOOLER_CHROMIUM names another one";

/** A Chromium; `undefined` where there is none. */
export const BROWSER: string | undefined = process.env["MULTIPOOLER_CHROMIUM"] ?? onPath();

function onPath(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const paths = folders.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return paths.find((path) => isExecutable(path));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
