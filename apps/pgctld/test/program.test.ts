import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { run } from "./site.ts";

const PASSWORD = { POSTGRES_PASSWORD: "x" };

test.each<[string, string[], Record<string, string>, RegExp]>([
  ["no directory", ["status"], PASSWORD, /^required option '--pooler-dir <path>' not specified$/],
  [
    "a port that is none",
    ["status", "--pooler-dir=/x", "--pg-port=70000"],
    PASSWORD,
    /'70000' is invalid\. It must be a port from 1 to 65535\.$/,
  ],
  [
    "a port of the environment that is none",
    ["status", "--pooler-dir=/x"],
    { ...PASSWORD, MULTIPOOLER_PG_PORT: "none" },
    /value 'none' from env 'MULTIPOOLER_PG_PORT' is invalid/,
  ],
  [
    "a time that is none",
    ["status", "--pooler-dir=/x", "--timeout=soon"],
    PASSWORD,
    /'soon' is invalid\. It must be a time up to 24h/,
  ],
  [
    "a setting without value",
    ["status", "--pooler-dir=/x", "--pg-setting=work_mem"],
    PASSWORD,
    /It must be name=value/,
  ],
  [
    "another flag",
    ["status", "--pooler-dir=/x", "--pg-prt=1"],
    PASSWORD,
    /unknown option '--pg-prt/,
  ],
  ["another command", ["begin"], PASSWORD, /unknown command 'begin'/],
  ["no password", ["status", "--pooler-dir=/x"], {}, /^the superuser's password is missing: set /],
  [
    "a password file that is not there",
    ["status", "--pooler-dir=/x", "--pg-password-file=/nowhere"],
    {},
    /^the password file cannot be read: ENOENT/,
  ],
  [
    "a user that is not there",
    ["status", "--pooler-dir=/x", "--pg-run-as=nobody-at-all"],
    PASSWORD,
    /there is no user "nobody-at-all"$/,
  ],
])("refuses %s in one line", async (_name, args, env, message) => {
  // The library of the command line looks at the environment of the process.
  for (const [name, value] of Object.entries(env)) {
    vi.stubEnv(name, value);
  }
  onTestFinished(() => void vi.unstubAllEnvs());
  const { code, complaints, output } = await run(args, { PATH: "/usr/bin:/bin", ...env });
  expect([code, output]).toEqual([2, ""]);
  expect(complaints).toMatch(message);
  expect(complaints).toMatch(/^[^\n]+$/);
});

test("says that there are no programs where it is told to look", async () => {
  const args = ["status", "--pooler-dir=/x", "--pg-bin-dir=/nowhere"];
  const { code, complaints } = await run(args, PASSWORD);
  expect([code, complaints]).toEqual([1, "there is no program postgres in /nowhere"]);
});

test("prints its help", async () => {
  const { code, output } = await run(["--help"]);
  expect(code).toBe(0);
  for (const command of ["server", "init", "start", "stop", "promote", "rewind", "base-backup"]) {
    expect(output).toMatch(new RegExp(`^ {2}${command} `, "m"));
  }
  const server = await run(["server", "--help"]);
  expect(server.output).toContain("MULTIPOOLER_GRPC_PORT");
});

test("prints a status as JSON", async () => {
  const directory = await mkdtemp(join(tmpdir(), "mp pgctld "));
  onTestFinished(async () => await rm(directory, { recursive: true }));
  const file = join(directory, "password");
  await writeFile(file, "secret\n");
  const args = ["status", "--json", `--pooler-dir=${directory}`, `--pg-password-file=${file}`];
  const { code, output } = await run(args, { PGDATA: join(directory, "elsewhere") });
  expect(code).toBe(0);
  expect(JSON.parse(output)).toMatchObject({
    state: "not-initialized",
    dataDir: join(directory, "elsewhere"),
    port: 5432,
  });
});
