/**
 * Loaded into a pooler or a daemon, ahead of it. Kills the process that the plan names in the very
 * moment in which the log gets the words that the plan names: a step is logged before it begins, and
 * nothing else runs in between.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { parsePlan, PLAN_VARIABLE } from "./kill-plan.ts";

const path = process.env[PLAN_VARIABLE] ?? "";
const { writeSync } = fs;

function carryOut(logged: string): void {
  const plan = fs.existsSync(path) ? parsePlan(fs.readFileSync(path, "utf8")) : undefined;
  if (plan !== undefined && logged.includes(plan.words)) {
    fs.rmSync(path);
    process.kill(plan.pid, "SIGKILL");
  }
}

Object.assign(fs, {
  writeSync: (...args: Parameters<typeof writeSync>): number => {
    const written = writeSync(...args);
    // The types know a text; the pooler's log comes as bytes.
    const logged: unknown = args[1];
    carryOut(String(logged));
    return written;
  },
});
syncBuiltinESMExports();
