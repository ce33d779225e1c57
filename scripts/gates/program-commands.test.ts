import { expect, test } from "vitest";

import {
  commandFaults,
  commandsOf,
  completedWords,
  flagsOf,
  helpWords,
} from "./program-commands.ts";

const KNOWN = completedWords(`
    "") words="check-config ctl --cell" ;;
    "check-config") words="--cell" ;;
    "ctl") words="status" ;;
    "ctl status") words="--address --json" ;;
    "ctl status --json") return 1 ;;
`);

function faults(markdown: string): string[] {
  return commandsOf(markdown, "multipooler").flatMap((found) => commandFaults(found, KNOWN));
}

test("finds commands in shell snippets and in prose, as a shell splits them", () => {
  const text = [
    "Use `multipooler ctl status` or `ctl top` or `ctl` or `multipooler`-like things.",
    "",
    "```sh",
    'multipooler --cell "a b" # a comment',
    "npm run ctl -- status --json",
    "multipooler import-pgbouncer x.ini > y.yaml",
    "psql -p 1",
    "```",
    "```ts",
    "multipooler ctl nothing",
    "```",
  ].join("\n");
  expect(commandsOf(text, "multipooler").map(({ words, line }) => [line, ...words])).toEqual([
    [4, "--cell", "a b"],
    [5, "ctl", "status", "--json"],
    [6, "import-pgbouncer", "x.ini"],
    [1, "ctl", "status"],
    [1, "ctl", "top"],
    [1],
  ]);
});

test("passes what the program has", () => {
  expect(faults("`multipooler ctl status --address A --json` `multipooler --cell a`")).toEqual([]);
});

test("names a command and an option that are not there", () => {
  expect(faults("x\n`multipooler ctl stats`")).toEqual(['2: there is no command "ctl stats"']);
  expect(faults("`multipooler check-config --cel a`")).toEqual([
    '1: "check-config" has no option --cel',
  ]);
  expect(faults("`multipooler ctl status --addr=a`")).toEqual([
    '1: "ctl status" has no option --addr',
  ]);
});

test("finds flags that stand alone, and not those in snippets or of other commands", () => {
  expect(flagsOf("`--cell`, `--cell a` and `--a-b=1`; `pg --x`\n```sh\n--no\n```\n")).toEqual([
    { flag: "--cell", line: 1 },
    { flag: "--cell", line: 1 },
    { flag: "--a-b", line: 1 },
  ]);
});

test("reads names and options of a help", () => {
  const help =
    "Usage\n\nOptions:\n  --cell <name>  it\n\nCommands:\n  start [options]  Start.\n  help [command]   Help.\n";
  expect([...helpWords(help)]).toEqual(["start", "help", "--cell"]);
});
