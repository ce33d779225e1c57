import { runProgram, startPooler } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { flagsFor, sessions } from "./flags.ts";

const LIMIT_MS = 20_000;

test("PostgreSQL may come later: the pooler is up, says why it is not ready, then serves", async () => {
  await using postgres = await startPostgres();
  await postgres.stop();
  await using pooler = startPooler({ flags: flagsFor(postgres) });
  const address = await pooler.grpc();
  const notReady = await pooler.ready(503, { signal: AbortSignal.timeout(LIMIT_MS) });
  expect(notReady).toMatchObject({ ready: false, state: "starting" });
  expect((await fetch(`${await pooler.http()}/live`)).status).toBe(200);
  const status = await runProgram(["ctl", "status", "--address", address]);
  expect(status.code).toBe(0);
  expect(status.stdout).toMatch(/state\s+starting/);
  const refused = await runProgram(["ctl", "query", "select 1", "--address", address]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).not.toBe("");

  await postgres.start();
  await pooler.ready(200, { signal: AbortSignal.timeout(LIMIT_MS) });
  const answered = await runProgram(["ctl", "query", "select 1", "--address", address]);
  expect(answered.code).toBe(0);
});

test("kill -9 of PostgreSQL: the query ends typed, /ready turns, and it serves again by itself", async () => {
  await using postgres = await startPostgres();
  await using pooler = startPooler({ flags: flagsFor(postgres) });
  const address = await pooler.grpc();
  await pooler.ready(200, { signal: AbortSignal.timeout(LIMIT_MS) });

  const cut = runProgram(["ctl", "query", "select pg_sleep(600)", "--address", address]);
  const running = `select count(*)::int as n from pg_stat_activity where query = 'select pg_sleep(600)' and state = 'active'`;
  await expect
    .poll(async () => (await postgres.sql(running))[0]?.["n"], { timeout: LIMIT_MS })
    .toBe(1);
  await postgres.kill();

  const { code, stderr } = await cut;
  expect(code).toBe(1);
  expect(stderr).toMatch(/\((?:08006|57P0[123])\)/);
  const body = await pooler.ready(503, { signal: AbortSignal.timeout(LIMIT_MS) });
  expect(body).toMatchObject({ ready: false, database: { reachable: false } });
  const refused = await runProgram(["ctl", "query", "select 1", "--address", address]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/\((?:MTF01|57P03)\)/);

  await postgres.start();
  await pooler.ready(200, { signal: AbortSignal.timeout(LIMIT_MS) });
  const again = await runProgram(["ctl", "query", "select 42 as answer", "--address", address]);
  expect([again.code, again.stdout]).toEqual([0, " answer\n--------\n     42\n(1 row)\n\n"]);
  expect(await pooler.stop()).toEqual({ code: 0, signal: null });
  await expect.poll(() => sessions(postgres)).toBe(0);
});
