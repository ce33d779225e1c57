import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { command } from "./command.ts";
import type { GateResult } from "./gate.ts";
import { commandFaults, commandsOf, flagsOf } from "./program-commands.ts";
import { snippetsOf } from "./snippets.ts";

/** The programs that documents give commands of, as they were built. */
const PROGRAMS: Readonly<Record<string, string>> = {
  multipooler: "apps/multipooler/dist/main.js",
  pgctld: "apps/pgctld-daemon/dist/main.js",
};
/** The help of these has all flags that there are but those of single commands. */
const GENERAL: readonly (readonly [program: string, path: readonly string[]])[] = [
  ["multipooler", []],
  ["multipooler", ["check-config"]],
  ["multipooler", ["ctl", "status"]],
  ["multipooler", ["ctl", "topo", "tree"]],
  ["pgctld", ["server"]],
];
/** Where each flag in prose is one of the programs. */
const FOR_OPERATORS = /^(?:docs\/guides\/.*|apps\/multipooler\/README|deploy\/README)\.md$/;
/** Of other programs. */
const OTHERS: ReadonlySet<string> = new Set(["--init"]);

/**
 * Commands and settings of the programs in documents exist, and configuration files in them are ones
 * that a start would take.
 */
export async function checkPrograms(
  root: string,
  documents: readonly string[],
): Promise<GateResult> {
  const helps = new Map<string, Promise<string>>();
  const helpOf = async (program: string, path: readonly string[]): Promise<string> => {
    const key = [program, ...path].join(" ");
    const known = helps.get(key) ?? run(root, program, [...path, "--help"]).then(textOf);
    helps.set(key, known);
    return await known;
  };
  const lines: string[] = [];
  const texts = documents.map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
  for (const { path, text } of texts) {
    for (const program of Object.keys(PROGRAMS)) {
      for (const found of commandsOf(text, program)) {
        const faults = await commandFaults(found, async (words) => await helpOf(program, words));
        lines.push(...faults.map((fault) => `${path}:${fault}`));
      }
    }
  }
  await Promise.all(GENERAL.map(async ([program, path]) => await helpOf(program, path)));
  const all = (await Promise.all(helps.values())).join("\n");
  const flags = new Set(all.match(/--[a-z][a-z-]*[a-z]/g));
  for (const { path, text } of texts.filter((each) => FOR_OPERATORS.test(each.path))) {
    const unknown = flagsOf(text).filter(({ flag }) => !flags.has(flag) && !OTHERS.has(flag));
    lines.push(...unknown.map(({ flag, line }) => `${path}:${line}: no program has ${flag}`));
    lines.push(...(await configFaults(root, path, text)));
  }
  return { ok: lines.length === 0, output: lines.join("\n") };
}

/** What a start would say against the configuration files in a document. */
async function configFaults(root: string, document: string, text: string): Promise<string[]> {
  const samples = snippetsOf(text).filter(({ language }) => language === "yaml");
  const scratch = mkdtempSync(join(tmpdir(), "multipooler-samples-"));
  try {
    const results = samples.map(async ({ code, line }) => {
      const file = join(scratch, `line-${line}.yaml`);
      writeFileSync(file, code);
      const { ok, output } = await run(root, "multipooler", [
        "check-config",
        "--config-file",
        file,
      ]);
      return ok ? [] : [`${document}:${line}: ${output.trim()}`];
    });
    return (await Promise.all(results)).flat();
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

async function run(root: string, program: string, args: readonly string[]): Promise<GateResult> {
  const entry = join(root, PROGRAMS[program] ?? "");
  return await command("node", [entry, ...args], { cwd: root, tools: root });
}

function textOf({ output }: GateResult): string {
  return output;
}
