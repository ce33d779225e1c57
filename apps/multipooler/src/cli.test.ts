import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const PROGRAM = join(import.meta.dirname, "main.ts");

test.each([
  [["check-confg"], 'unexpected argument "check-confg"; did you mean check-config?'],
  [["status"], 'unknown command "status"; did you mean ctl status?'],
  [
    ["check-config", "pooler.yaml"],
    'unexpected argument "pooler.yaml"; a configuration file is given with --config-file',
  ],
  [["ctl", "kill", "1", "2"], 'unexpected argument "2"'],
  [["ctl", "statsu"], "unknown command 'statsu' (Did you mean status?)"],
  [["ctl", "a\u001b[31m\nb"], "unknown command 'a\\x1b[31m\\nb'"],
  [["--c\u0007ell"], "unknown option '--c\\x07ell' (Did you mean --cell?)"],
] as const)("%j is answered with what was meant", (words, answer) => {
  const { stderr, status } = spawnSync(process.execPath, [PROGRAM, ...words], { encoding: "utf8" });
  expect({ stderr, status }).toEqual({ stderr: `multipooler: ${answer}\n`, status: 2 });
});
