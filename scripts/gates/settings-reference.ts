import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { command } from "./command.ts";
import { allOf } from "./gate.ts";
import type { GateResult } from "./gate.ts";

const PROGRAM = "apps/multipooler/dist/main.js";
/** What the program says of its settings, by the format. */
const DESCRIPTIONS = {
  markdown: "docs/settings.md",
  "json-schema": "apps/multipooler/settings.schema.json",
} as const;

/** The page and the schema of the settings are those that the program prints. */
export async function checkSettingsReference(root: string): Promise<GateResult> {
  return allOf(
    await Promise.all(
      Object.entries(DESCRIPTIONS).map(([format, file]) => checkDescription(root, format, file)),
    ),
  );
}

async function checkDescription(root: string, format: string, file: string): Promise<GateResult> {
  const args = [PROGRAM, "settings", "--format", format];
  const printed = await command("node", args, { cwd: root });
  if (!printed.ok) {
    return printed;
  }
  const path = join(root, file);
  const kept = existsSync(path) ? readFileSync(path, "utf8").trimEnd() : undefined;
  return kept === printed.output
    ? { ok: true, output: file }
    : { ok: false, output: `${file} is out of date: node ${args.join(" ")} > ${file}` };
}
