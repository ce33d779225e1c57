import { runProgram, startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess, ProgramResult } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { flagsFor, sessions } from "./flags.ts";

let postgres: TestPostgres;
let pooler: PoolerProcess;
let address: string;

beforeAll(async () => {
  postgres = await startPostgres();
  pooler = startPooler({ flags: flagsFor(postgres) });
  address = await pooler.grpc();
  await pooler.ready(200, { signal: AbortSignal.timeout(20_000) });
});

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

function ctl(...args: string[]): Promise<ProgramResult> {
  return runProgram(["ctl", ...args, "--address", address]);
}

test("the first query comes back with PostgreSQL's rows", async () => {
  const result = await ctl("query", "select 1 as one, 'two' as two, null as three");
  expect(result).toEqual({
    code: 0,
    stdout: " one | two | three\n-----+-----+-------\n   1 | two |\n(1 row)\n\n",
    stderr: "",
  });
});

test("100,000 rows arrive, in order", async () => {
  const { code, stdout } = await ctl(
    "query",
    "select generate_series(1,100000)",
    "--format",
    "csv",
  );
  expect(code).toBe(0);
  const lines = stdout.trimEnd().split("\n");
  expect(lines).toHaveLength(100_001);
  expect(lines.slice(1)).toEqual(Array.from({ length: 100_000 }, (_, index) => String(index + 1)));
});

test("each statement of a string has its own result", async () => {
  const { stdout } = await ctl(
    "query",
    "select 1 as a; create temp table t(x int); insert into t values (1),(2); select x from t; ;",
  );
  expect(stdout).toBe(
    " a\n---\n 1\n(1 row)\n\nCREATE TABLE\nINSERT 0 2\n x\n---\n 1\n 2\n(2 rows)\n\n",
  );
});

test("an error in the middle comes after the rows before it, with its fields and a failing exit", async () => {
  const { code, stdout, stderr } = await ctl(
    "query",
    "select 10/(3-g) as q from generate_series(1,5) g",
  );
  expect(code).toBe(1);
  expect(stdout).toContain("5");
  expect(stderr).toContain("ERROR:  division by zero");
  expect(stderr).toContain("22012");
});

test("notices go to standard error", async () => {
  const { code, stderr } = await ctl("query", "do $$ begin raise notice 'hello'; end $$");
  expect([code, stderr]).toEqual([0, "NOTICE:  hello\n"]);
});

test("SQL can come from standard input", async () => {
  const { stdout } = await runProgram(
    ["ctl", "query", "-", "--format", "json", "--address", address],
    { input: "select 'x' as a" },
  );
  expect(stdout).toBe('{"a":"x"}\n');
});

test("a timeout ends the query in PostgreSQL too", async () => {
  const { code, stderr } = await ctl("query", "select pg_sleep(600)", "--timeout", "300ms");
  expect(code).toBe(1);
  expect(stderr).toContain("did not answer within --timeout");
  const running = `select count(*)::int as n from pg_stat_activity where query like '%pg_sleep(600)%' and state = 'active' and pid <> pg_backend_pid()`;
  await expect.poll(async () => (await postgres.sql(running))[0]?.["n"]).toBe(0);
});

test("status tells type, role, serving status and the database", async () => {
  const { code, stdout } = await ctl("status");
  expect(code).toBe(0);
  expect(stdout).toMatch(/state\s+ready/);
  expect(stdout).toMatch(/role\s+PRIMARY/);
  expect(stdout).toMatch(/serving\s+SERVING/);
  expect(stdout).toContain(`${postgres.host}:${postgres.port}`);
  const json: unknown = JSON.parse((await ctl("status", "--json")).stdout);
  expect(json).toMatchObject({ ready: true, poolerId: { cell: "zone1", name: "e2e" } });
});

test("ctl against an address where nothing listens says so in one line", async () => {
  const { code, stdout, stderr } = await runProgram([
    "ctl",
    "query",
    "select 1",
    "--address",
    "127.0.0.1:1",
  ]);
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^multipooler: .*127\.0\.0\.1:1.*\n$/);
});

test("SIGTERM ends it with 0 and leaves no session in PostgreSQL", async () => {
  await using other = startPooler({ flags: { ...flagsFor(postgres), "service-id": "short" } });
  await other.ready(200, { signal: AbortSignal.timeout(20_000) });
  await runProgram(["ctl", "query", "select 1", "--address", await other.grpc()]);
  await pooler.stop();
  expect(await other.stop()).toEqual({ code: 0, signal: null });
  expect(other.complaints()).toBe("");
  await expect.poll(() => sessions(postgres)).toBe(0);
});
