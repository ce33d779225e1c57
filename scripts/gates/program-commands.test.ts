import { expect, test } from "vitest";

import { commandFaults, commandsOf, flagsOf } from "./program-commands.ts";

const HELP: Readonly<Record<string, string>> = {
  "": "Usage\n\nOptions:\n  --cell <name>  it\n\nCommands:\n  check-config [options]  Check it.\n  ctl                     Talk.\n",
  ctl: "Commands:\n  status [options]  Print.\n  help [command]    Help.\n",
  "ctl status": "Options:\n  --address <host:port>  where\n  --json                 as JSON\n",
  "check-config": "Options:\n  --cell <name>  it\n",
};

async function faults(markdown: string): Promise<string[]> {
  const found = commandsOf(markdown, "multipooler").map((command) =>
    commandFaults(command, async (path) => HELP[path.join(" ")] ?? ""),
  );
  return (await Promise.all(found)).flat();
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

test("passes what the program has", async () => {
  expect(
    await faults("`multipooler ctl status --address A --json` `multipooler --cell a`"),
  ).toEqual([]);
});

test("names a command and an option that are not there", async () => {
  expect(await faults("x\n`multipooler ctl stats`")).toEqual([
    '2: there is no command "ctl stats"',
  ]);
  expect(await faults("`multipooler check-config --cel a`")).toEqual([
    '1: "check-config" has no option --cel',
  ]);
  expect(await faults("`multipooler ctl status --addr=a`")).toEqual([
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
