import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { command } from "./command.ts";
import type { GateResult } from "./gate.ts";
import {
  commandFaults,
  commandsOf,
  completedWords,
  flagsOf,
  helpWords,
} from "./program-commands.ts";
import type { CommandWords } from "./program-commands.ts";
import { snippetsOf } from "./snippets.ts";

/** The programs that documents give commands of, as they were built. */
const PROGRAMS: Readonly<Record<string, string>> = {
  multipooler: "apps/multipooler/dist/main.js",
  pgctld: "apps/pgctld/dist/main.js",
};
/** Where each flag in prose is one of the programs. */
const FOR_OPERATORS = /^(?:docs\/guides\/.*|apps\/multipooler\/README|deploy\/README)\.md$/;
/** What `pgctld server` takes from launch lines of Multigres, and its help does not have. */
const ACCEPTED_BY_PGCTLD = ["--pgbackrest-port", "--pgbackrest-cert-dir", "--service-map"] as const;

/**
 * Commands and settings of the programs in documents exist, and configuration files in them are ones
 * that a start would take.
 */
export async function checkPrograms(
  root: string,
  documents: readonly string[],
): Promise<GateResult> {
  const programs = new Map<string, CommandWords>([
    ["multipooler", await wordsOfMultipooler(root)],
    ["pgctld", await wordsOfPgctld(root)],
  ]);
  const all = [...programs.values()].flatMap((commands) => [...commands.values()]);
  const lines: string[] = [];
  for (const path of documents) {
    const text = readFileSync(join(root, path), "utf8");
    for (const [program, known] of programs) {
      const faults = commandsOf(text, program).flatMap((found) => commandFaults(found, known));
      lines.push(...faults.map((fault) => `${path}:${fault}`));
    }
    if (FOR_OPERATORS.test(path)) {
      const unknown = flagsOf(text).filter(({ flag }) => !all.some((words) => words.has(flag)));
      lines.push(...unknown.map(({ flag, line }) => `${path}:${line}: no program has ${flag}`));
      lines.push(...(await configFaults(root, path, text)));
    }
  }
  return { ok: lines.length === 0, output: lines.join("\n") };
}

/** One run tells all; flags that mean nothing are in the help alone. */
async function wordsOfMultipooler(root: string): Promise<CommandWords> {
  const [script, help] = await Promise.all([
    run(root, "multipooler", ["completion", "bash"]),
    run(root, "multipooler", ["--help"]),
  ]);
  const words = new Map(completedWords(script.output));
  for (const path of ["", "check-config"]) {
    words.set(path, new Set([...(words.get(path) ?? []), ...helpWords(help.output)]));
  }
  return words;
}

async function wordsOfPgctld(root: string): Promise<CommandWords> {
  const general = helpWords((await run(root, "pgctld", ["--help"])).output);
  const words = new Map<string, ReadonlySet<string>>([["", general]]);
  for (const name of [...general].filter((word) => !word.startsWith("-") && word !== "help")) {
    const { output } = await run(root, "pgctld", [name, "--help"]);
    words.set(
      name,
      new Set([...helpWords(output), ...(name === "server" ? ACCEPTED_BY_PGCTLD : [])]),
    );
  }
  return words;
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
