import { PoolerType } from "@multipooler/manager";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { ConformingPooler } from "./conforming-pooler.ts";
import { Gateway, INCONSISTENT } from "./gateway.ts";
import { onState, rowsOf, stateOf, valueOf } from "./result-reading.ts";
import { useScene } from "./scene.ts";

const TRANSACTION = 1;
const ROLLBACK = 2;
const BEGIN = { reasons: TRANSACTION };
const OWN_VPID =
  "select vpid::text from multigres.backend_vpid where backend_pid = pg_backend_pid()";
/** Fits into no signed 32-bit integer. */
const VPID = 4_000_000_001;

const scene = useScene();
const sql = async (text: string, values: unknown[] = []): ReturnType<typeof scene.postgres.sql> =>
  await scene.postgres.sql(text, { values });

let pooler: ConformingPooler;
let gateway: Gateway;

beforeAll(async () => {
  await sql("create role alice login password 'secret'");
  await sql("create table locked (x int)");
});

beforeEach(async () => {
  pooler = await ConformingPooler.start(scene.postgres, {
    controller: { tracksVirtualPids: true },
  });
  gateway = new Gateway(pooler.client);
});

afterEach(async () => {
  await pooler[Symbol.asyncDispose]();
});

async function recorded(): Promise<unknown> {
  return await sql("select backend_pid, vpid::text from multigres.backend_vpid order by vpid");
}

async function lives(pid: string | null | undefined): Promise<boolean> {
  return (await sql("select from pg_stat_activity where pid = $1", [pid])).length > 0;
}

test("a statement finds its client in the table; nothing is left of it afterwards", async () => {
  const options = { clientConnectionId: VPID };
  expect(rowsOf(await gateway.streamExecute({ query: OWN_VPID, options }))).toEqual([
    [String(VPID)],
  ]);
  expect(await recorded()).toEqual([]);
  const { messages } = await gateway.executeQuery({ query: OWN_VPID, options });
  expect(messages[0]?.result?.rows).toHaveLength(1);
  const preparedStatement = { name: "s", query: OWN_VPID };
  const portal = { portal: {}, preparedStatement };
  expect(valueOf(await gateway.portal({ ...portal, options }))).toBe(String(VPID));
  expect(await recorded()).toEqual([]);
});

test("a client without an id is in no row", async () => {
  expect(rowsOf(await gateway.streamExecute({ query: OWN_VPID }))).toEqual([]);
});

test("a reservation is in the table until it ends, and a ROLLBACK does not take it away", async () => {
  const query = OWN_VPID;
  const options = { clientConnectionId: VPID };
  const begun = await gateway.streamExecute({ query, options, reservationOptions: BEGIN });
  expect(rowsOf(begun)).toEqual([[String(VPID)]]);
  const row = { backend_pid: stateOf(begun)?.backendProcessId, vpid: String(VPID) };
  expect(await recorded()).toEqual([row]);
  await gateway.conclude({ options: onState(begun), conclusion: ROLLBACK, chain: true });
  expect(await recorded()).toEqual([row]);
  await gateway.conclude({ options: onState(begun), conclusion: ROLLBACK });
  expect(await recorded()).toEqual([]);
});

test("who waits for whom can be asked in the ids of clients, by any role", async () => {
  const lock = (clientConnectionId: number): ReturnType<Gateway["streamExecute"]> =>
    gateway.streamExecute({
      query: "lock table locked",
      options: { clientConnectionId },
      reservationOptions: BEGIN,
    });
  const first = await lock(1);
  const waiting = lock(2);
  const query = `select waiting.vpid::text, holding.vpid::text from multigres.backend_vpid waiting
    join multigres.backend_vpid holding
    on holding.backend_pid = any(pg_catalog.pg_blocking_pids(waiting.backend_pid))`;
  const alice = await gateway.logIn("alice", "secret");
  const ask = async (): Promise<unknown> =>
    rowsOf(await gateway.streamExecute({ query, options: alice }));
  await expect.poll(ask).toEqual([["2", "1"]]);
  await gateway.conclude({ options: onState(first), conclusion: ROLLBACK });
  const second = await waiting;
  await gateway.conclude({ options: onState(second), conclusion: ROLLBACK });
  const denied = await gateway.streamExecute({
    query: "delete from multigres.backend_vpid",
    options: alice,
  });
  expect(denied.rpcError?.pgDiagnostic?.code).toBe("42501");
});

test("without the option nothing is written", async () => {
  const options = { clientConnectionId: VPID };
  expect(rowsOf(await scene.gateway.streamExecute({ query: OWN_VPID, options }))).toEqual([]);
});

test("a row that cannot be deleted costs the connection; the next start clears it", async () => {
  await sql(`create function refuse() returns trigger language plpgsql as
    $$ begin raise exception 'not now'; end $$`);
  await sql(`create trigger refusing before delete on multigres.backend_vpid
    for each row execute function refuse()`);
  const ask = async (): Promise<string | null | undefined> =>
    valueOf(
      await gateway.streamExecute({
        query: "select pg_backend_pid()::text",
        options: { clientConnectionId: VPID },
      }),
    );
  const pid = await ask();
  await expect.poll(async () => await lives(pid)).toBe(false);
  expect(await recorded()).toEqual([{ backend_pid: Number(pid), vpid: String(VPID) }]);
  expect(await ask()).not.toBe(pid);
  await sql("drop function refuse() cascade");
  await using again = await ConformingPooler.start(scene.postgres, {
    controller: { tracksVirtualPids: true },
  });
  expect(again.manager.status().ready).toBe(true);
  await expect.poll(recorded).toEqual([]);
});

test("without the table statements run all the same", async () => {
  await sql("alter table multigres.backend_vpid rename to elsewhere");
  await using parts = new AsyncDisposableStack();
  parts.defer(async () => {
    await sql("alter table multigres.elsewhere rename to backend_vpid");
  });
  const query = "select pg_backend_pid()::text";
  const options = { clientConnectionId: VPID };
  const pids = new Set<string | null | undefined>();
  for (let round = 0; round < 3; round += 1) {
    pids.add(valueOf(await gateway.streamExecute({ query, options })));
  }
  expect(pids.size).toBe(1);
  const begun = await gateway.streamExecute({ query, options, reservationOptions: BEGIN });
  await gateway.conclude({ options: onState(begun), conclusion: ROLLBACK });
  expect(await lives([...pids][0])).toBe(true);
});

test("a restarted PostgreSQL has no rows of the connections before", async () => {
  const options = { clientConnectionId: VPID };
  await gateway.streamExecute({ query: OWN_VPID, options, reservationOptions: BEGIN });
  expect(await recorded()).toHaveLength(1);
  await scene.postgres.restart();
  const ask = async (): Promise<unknown> =>
    rowsOf(await gateway.streamExecute({ query: OWN_VPID, options }));
  await expect.poll(ask, { timeout: 15_000 }).toEqual([[String(VPID)]]);
  expect(await recorded()).toEqual([]);
});

// The last one: the server stays a standby.
test("a standby, where the table cannot be read, serves without", async () => {
  await pooler[Symbol.asyncDispose]();
  await scene.postgres.restart({ role: "standby" });
  pooler = await ConformingPooler.start(scene.postgres, {
    controller: { tracksVirtualPids: true },
    type: PoolerType.Replica,
  });
  const query = "select pg_is_in_recovery()::text";
  const options = { clientConnectionId: VPID };
  const answer = await new Gateway(pooler.client).streamExecute({
    query,
    target: INCONSISTENT,
    options,
  });
  expect(valueOf(answer)).toBe("true");
  expect((await scene.postgres.logLines()).join("\n")).not.toContain("during recovery");
});
