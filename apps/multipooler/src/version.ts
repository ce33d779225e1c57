import { readFileSync } from "node:fs";
import * as z from "zod";

const manifest = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")));

/** Name and versions, printed by `--version` and served at `/version`. */
export const buildVersion: { name: string; version: string; node: string } = {
  name: "multipooler",
  version: manifest.version,
  node: process.version,
};
