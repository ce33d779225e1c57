import { ReservationReason } from "@multipooler/query-service";
import type { TestPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { query } from "./pooler-fixture.ts";
import { ReservingClient } from "./reserving-client.ts";
import { nextProcessId, useReservations } from "./reservation-scene.ts";

const { Transaction, TempTable, Portal, SessionAdvisoryLock, SetSeed } = ReservationReason;

let postgres: TestPostgres;
let pooler: MultiPooler;
let client: ReservingClient;

useReservations((scene) => {
  ({ postgres, pooler, client } = scene);
});

test("a statement that makes no temporary table reserves nothing", async () => {
  const failed = await client.reserve("create temp table mine (y nonsense)", TempTable);
  expect(failed).toMatchObject({ error: { code: "DATABASE_ERROR" }, reservation: undefined });
});

test("a backend that had a temporary table is closed when it is released", async () => {
  const { reservation } = await client.reserve("create temp table mine (y int)", TempTable);
  const discarded = await client.discardTemp();
  expect(discarded).toMatchObject({ tags: ["DISCARD TEMP"], reservation: undefined });
  expect(await nextProcessId(pooler)).not.toBe(reservation?.backendProcessId);
});

test("temporary tables are discarded within a transaction that goes on", async () => {
  await client.reserve("create temp table mine (y int)", TempTable | Transaction);
  expect(await client.discardTemp()).toMatchObject({ reservation: { reasons: Transaction } });
  expect((await client.run("select * from mine")).error?.diagnostic).toMatchObject({
    code: "42P01",
  });
  expect(await client.commit()).toMatchObject({ tags: ["ROLLBACK"] });
});

test("a failure to discard ends the reservation", async () => {
  await client.reserve("create temp table mine (y int)", TempTable | Transaction);
  await client.run("select 1 / 0");
  expect(await client.discardTemp()).toMatchObject({
    error: { diagnostic: { code: "25P02" } },
    reservation: undefined,
  });
});

test("a temporary table that is added and fails does not take the others with it", async () => {
  await client.reserve("create temp table mine (y int)", TempTable);
  const failed = await client.run("create temp table more (y nonsense)", { reasons: TempTable });
  expect(failed).toMatchObject({ error: { code: "DATABASE_ERROR" } });
  expect(failed.reservation).toMatchObject({ reasons: TempTable });
  await client.run("select 1", { reasons: SessionAdvisoryLock });
  expect(client.held).toMatchObject({ reasons: TempTable | SessionAdvisoryLock });
});

test("a lock keeps the backend until it is gone", async () => {
  const { reservation } = await client.reserve("select pg_advisory_lock(1)", SessionAdvisoryLock, {
    recheckAdvisoryLocks: true,
  });
  expect(reservation).toMatchObject({ reasons: SessionAdvisoryLock });
  const locked = await client.run("select pg_advisory_lock(2)", { recheckAdvisoryLocks: true });
  expect(locked.reservation).toMatchObject({ reasons: SessionAdvisoryLock });
  const one = await client.run("select pg_advisory_unlock(1)", { recheckAdvisoryLocks: true });
  expect(one.reservation).toMatchObject({ reasons: SessionAdvisoryLock });
  const unasked = await client.run("select pg_advisory_unlock(2)");
  expect(unasked.reservation).toMatchObject({ reasons: SessionAdvisoryLock });
  const none = await client.run("select 1", { recheckAdvisoryLocks: true });
  expect(none).toMatchObject({ values: ["1"], reservation: undefined });
  expect(await nextProcessId(pooler)).toBe(reservation?.backendProcessId);
});

test("a lock that was not taken reserves nothing", async () => {
  const other = new ReservingClient(pooler);
  await other.reserve("select pg_advisory_lock(1)", SessionAdvisoryLock);
  const sql = "select pg_try_advisory_lock(1)";
  const tried = await client.reserve(sql, SessionAdvisoryLock, { recheckAdvisoryLocks: true });
  expect(tried).toMatchObject({ values: ["f"], reservation: undefined });
  await other.release();
});

test("within a transaction nobody asks for locks", async () => {
  await client.reserve("select 1", Transaction | SessionAdvisoryLock);
  const asked = await client.run("select 1", { recheckAdvisoryLocks: true });
  expect(asked.reservation).toMatchObject({ reasons: Transaction | SessionAdvisoryLock });
  expect(await client.commit()).toMatchObject({ reservation: { reasons: SessionAdvisoryLock } });
});

test("locks are gone with their reservation", async () => {
  await client.reserve("select pg_advisory_lock(1)", SessionAdvisoryLock);
  await client.release();
  const rows = await postgres.sql("select 1 from pg_locks where locktype = 'advisory'");
  expect(rows).toEqual([]);
});

test.for(["fetch 1 from c", "/* of /* a */ cursor */ fetch 1 from c", "--\n; Fetch 1 from c"])(
  "%j gets from a binary cursor what it has, in the write that opens its transaction",
  async (fetch) => {
    const declare = "declare c binary cursor with hold for select generate_series(1, 3)";
    await client.reserve(declare, Portal, { pins: ["c"] });
    const fetched = await client.run(fetch, { reasons: Transaction });
    expect(fetched.values).toEqual(["\0\0\0\x01"]);
    await client.rollback();
    await client.release();
  },
);

test("a cursor WITH HOLD is a reason until it is released", async () => {
  const sql = "declare c cursor with hold for select generate_series(1, 3)";
  const declared = await client.reserve(sql, Transaction | Portal, { pins: ["c"] });
  expect(declared.reservation).toMatchObject({ reasons: Transaction | Portal });
  expect(await client.commit()).toMatchObject({
    tags: ["COMMIT"],
    reservation: { reasons: Portal },
  });
  expect((await client.run("fetch 2 from c")).values).toEqual(["1", "2"]);
  const failed = await client.run("close d", { releases: ["c"] });
  expect(failed).toMatchObject({
    reservation: { reasons: Portal },
    error: { code: "DATABASE_ERROR" },
  });
  expect(await client.run("close c", { releases: ["c"] })).toMatchObject({
    tags: ["CLOSE CURSOR"],
    reservation: undefined,
  });
});

test("a cursor that could not be declared is no reason", async () => {
  await client.reserve("select 1", Transaction);
  const sql = "declare c cursor with hold for select nothing";
  const failed = await client.run(sql, { reasons: Portal, pins: ["c"] });
  expect(failed.reservation).toMatchObject({ reasons: Transaction });
});

test.each([
  ["named", ["c"], Portal],
  ["all", "all", undefined],
] as const)("a ROLLBACK drops the portals that it closes: %s", async (_, releases, left) => {
  const declare = (name: string): string => `declare ${name} cursor with hold for select 1`;
  await client.reserve(declare("outer_one"), Portal, { pins: ["outer_one"] });
  await client.run(declare("c"), { reasons: Transaction, pins: ["c"] });
  const { reservation } = await client.rollback({ releases });
  expect(reservation?.reasons).toBe(left);
});

test("a seed stays with its session when everything else is released", async () => {
  const reasons = Transaction | SetSeed | SessionAdvisoryLock | TempTable;
  const first = await client.reserve("create temp table mine (y int)", reasons);
  await client.run("select pg_advisory_lock(1), setseed(0.5)");
  const released = await client.release(true);
  expect(released.reservation).toEqual({ ...first.reservation, reasons: SetSeed });
  expect((await client.run("select 1 from pg_locks where locktype = 'advisory'")).values).toEqual(
    [],
  );
  expect((await client.run("select to_regclass('mine') is null")).values).toEqual(["t"]);
  expect(await client.release()).toMatchObject({ reservation: undefined, error: undefined });
});

test("without a seed nothing is sticky", async () => {
  await client.reserve("select 1", Transaction);
  expect(await client.release(true)).toMatchObject({ reservation: undefined });
});

test("no state of a reservation reaches the next holder of its backend", async () => {
  const { reservation } = await client.reserve("set work_mem = '7MB'", Transaction);
  await client.run("listen news");
  await client.run("prepare p as select 1");
  await client.commit({ settings: new Map([["work_mem", "7MB"]]) });
  expect(await nextProcessId(pooler)).toBe(reservation?.backendProcessId);
  expect((await query(pooler, "show work_mem")).values).not.toEqual(["7MB"]);
  expect((await query(pooler, "select pg_listening_channels()")).values).toEqual([]);
  expect((await query(pooler, "select name from pg_prepared_statements")).values).toEqual([]);
});
