import { spawnSync } from "node:child_process";
import { programPath } from "@multipooler/pooler-process";
import { expect, test } from "vitest";

/** Node of the machine, as Debian installs it. */
const SYSTEM_NODE = "/usr/bin/node";
const { stdout } = spawnSync(SYSTEM_NODE, ["--version"], { encoding: "utf8" });
const major = Number(/^v(\d+)/.exec(stdout ?? "")?.[1] ?? Number.NaN);

test.runIf(major < 24)("an older Node says in one line which it needs", () => {
  const { status, stderr } = spawnSync(SYSTEM_NODE, [programPath(), "--version"], {
    encoding: "utf8",
  });
  expect(stderr).toMatch(/^multipooler needs Node\.js 24 or newer, and this is [^\n]+\n$/);
  expect(status).toBe(2);
});
