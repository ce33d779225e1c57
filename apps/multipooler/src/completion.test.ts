import { execFileSync, spawnSync } from "node:child_process";
import { Argument, Command, Option } from "commander";
import { describe, expect, test } from "vitest";
import { COMPLETION_SHELLS, completionScript } from "./completion.ts";
import type { CompletionShell } from "./completion.ts";

const hasShell = (shell: string): boolean => spawnSync(shell, ["-c", "exit 0"]).status === 0;

function program(): Command {
  const line = new Command("multipooler")
    .version("1")
    .option("--cell <name>", "a")
    .addOption(new Option("--hidden <x>", "b").hideHelp());
  line.command("completion").addArgument(new Argument("<shell>").choices(["bash", "zsh"]));
  const ctl = line.command("ctl");
  ctl
    .command("query")
    .addOption(new Option("--format <format>", "how").choices(["table", "csv"]))
    .option("--json", "c");
  ctl.command("topo").command("tree");
  return line;
}

/** What bash completes behind these words, the last of which is begun. */
function completed(...words: readonly string[]): string[] {
  const script = `${completionScript(program(), "bash")}
compopt() { COMPREPLY=("<files>"); }
COMP_WORDS=(multipooler ${words.map((word) => `'${word}'`).join(" ")})
COMP_CWORD=${words.length}
_multipooler
printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync("bash", ["-c", script], { encoding: "utf8" }).trimEnd().split("\n");
}

describe.runIf(hasShell("bash"))("bash", () => {
  test.each([
    [[""], ["completion", "ctl", "--cell", "--version", "--help"]],
    [["c"], ["completion", "ctl"]],
    [
      ["ctl", ""],
      ["query", "topo", "--help"],
    ],
    [["ctl", "topo", "t"], ["tree"]],
    [["ctl", "query", "--j"], ["--json"]],
    [
      ["ctl", "query", "--format", ""],
      ["table", "csv"],
    ],
    [["--cell", ""], ["<files>"]],
    [["completion", "z"], ["zsh"]],
  ])("behind %j there may be %j", (words, expected) => {
    expect(completed(...words).toSorted()).toEqual(expected.toSorted());
  });
});

test.runIf(hasShell("bash"))("files are completed by a bash without compopt", () => {
  const script = `${completionScript(program(), "bash")}
enable -n compopt
PATH=
COMP_WORDS=(multipooler --cell ${import.meta.filename.slice(0, -3)})
COMP_CWORD=2
_multipooler
echo "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync("/bin/bash", ["-c", script], { encoding: "utf8" });
  expect({ stdout, stderr }).toEqual({ stdout: `${import.meta.filename}\n`, stderr: "" });
});

test.runIf(hasShell("zsh"))("a file in zsh's $fpath completes at its first call", () => {
  const file = completionScript(program(), "zsh");
  // What the shell does at the first completion, with the functions of its completion system replaced.
  const script = `compdef() { :; }
compadd() { shift; print -r -- "$@"; }
words=(multipooler ctl query --format "")
CURRENT=5
_multipooler() {
${file}
}
_multipooler`;
  expect(spawnSync("zsh", ["-fc", script], { encoding: "utf8" })).toMatchObject({
    stdout: "table csv\n",
    stderr: "",
  });
});

test.each(COMPLETION_SHELLS)(
  "the script for %s is one that it can read",
  (shell: CompletionShell) => {
    const script = completionScript(program(), shell);
    expect(script).not.toContain("hidden");
    expect(script).toContain("ctl topo");
    if (hasShell(shell)) {
      expect(spawnSync(shell, ["-n"], { input: script, encoding: "utf8" })).toMatchObject({
        status: 0,
        stderr: "",
      });
    }
  },
);
