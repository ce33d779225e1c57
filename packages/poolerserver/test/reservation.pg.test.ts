import type { EmbeddedPostgres, TemporaryDatabase } from "@multipooler/embedded-postgres";
import { ReservationReason } from "@multipooler/query-service";
import type { Statement } from "@multipooler/query-service";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { databaseOf, query, servingPooler } from "./pooler-fixture.ts";
import { ReservingClient } from "./reserving-client.ts";
import { useDatabases } from "./test-server.ts";

const { Transaction, TempTable, Portal, SessionAdvisoryLock, SetSeed } = ReservationReason;

let postgres: EmbeddedPostgres;
let database: TemporaryDatabase;
let pooler: MultiPooler;
let client: ReservingClient;

useDatabases(
  (started, created) => {
    postgres = started;
    database = created;
  },
  { settings: { max_connections: "40" } },
);

beforeEach(async () => {
  pooler = await servingPooler(databaseOf(postgres, { database: database.name }), { capacity: 2 });
  await query(pooler, "create table t (x int unique deferrable initially deferred)");
  client = new ReservingClient(pooler);
});

afterEach(async () => {
  await client.release();
  await pooler.setServingType({
    status: "DRAINED",
    role: "PRIMARY",
    reason: "nothing may be left",
  });
  await pooler.close();
});

test("reservations leave statements the connections that the ratio keeps for them", async () => {
  const bounded = await servingPooler(databaseOf(postgres, { database: database.name }), {
    capacity: 2,
    reservedRatio: 0.5,
  });
  const [one, other] = [new ReservingClient(bounded), new ReservingClient(bounded)];
  const first = await one.reserve("select pg_backend_pid()", Transaction);
  const second = other.reserve("select pg_backend_pid()", Transaction);
  const [pid] = (await query(bounded, "select pg_backend_pid()")).values;
  expect(pid).not.toBe(first.values[0]);
  expect(other.held).toBeUndefined();
  await one.commit();
  expect((await second).error).toBeUndefined();
  await other.rollback({ rollbackSettings: new Map() });
  await bounded.close();
});

/** The PID of the only idle session, which the pool would lend next. */
async function nextProcessId(): Promise<number> {
  return Number((await query(pooler, "select pg_backend_pid()")).values[0]);
}

test("a transaction holds one backend from its first statement to COMMIT", async () => {
  const first = await client.reserve("select pg_backend_pid()", Transaction, { begin: "begin;" });
  const { reservation } = first;
  expect(first).toMatchObject({ tags: ["SELECT 1"], error: undefined });
  expect(reservation).toMatchObject({
    id: expect.any(BigInt),
    reasons: Transaction,
    backendProcessId: Number(first.values[0]),
  });
  expect(await client.run("insert into t values (1)")).toMatchObject({
    tags: ["INSERT 0 1"],
    reservation,
  });
  expect((await query(pooler, "select count(*) from t")).values).toEqual(["0"]);
  expect(await client.commit()).toMatchObject({ tags: ["COMMIT"], reservation: undefined });
  expect((await query(pooler, "select count(*) from t")).values).toEqual(["1"]);
});

test("the words that begin a transaction count", async () => {
  await client.reserve("select 1", Transaction, {
    begin: "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
  });
  expect((await client.run("show transaction_isolation")).values).toEqual(["serializable"]);
  expect((await client.run("insert into t values (1)")).error).toMatchObject({
    code: "READ_ONLY",
    diagnostic: { code: "25006" },
  });
  expect(await client.rollback()).toMatchObject({ tags: ["ROLLBACK"], reservation: undefined });
});

test("ids are never used twice, and each is of one user", async () => {
  const one = await client.reserve("select 1", Transaction);
  const other = new ReservingClient(pooler);
  const two = await other.reserve("select 1", Transaction);
  expect(two.reservation?.id).not.toBe(one.reservation?.id);
  const stranger = new ReservingClient(pooler, { user: "somebody_else" });
  stranger.held = one.reservation;
  expect((await stranger.run("select 1")).error).toMatchObject({ code: "RESERVATION_LOST" });
  stranger.held = one.reservation;
  expect(await stranger.release()).toMatchObject({ error: undefined });
  expect((await client.run("select 1")).values).toEqual(["1"]);
  await other.release();
});

test("an id that is not known is told as terminated", async () => {
  expect((await client.run("select 1", { id: 17n })).error).toMatchObject({
    code: "RESERVATION_LOST",
    diagnostic: {
      code: "40001",
      message: "reserved connection terminated; please retry",
      detail: "reserved connection 17 was terminated",
    },
    reservation: undefined,
  });
  client.held = { id: 17n, reasons: 1, backendProcessId: 1 };
  expect((await client.commit()).error).toMatchObject({ code: "RESERVATION_LOST" });
  client.held = { id: 17n, reasons: 1, backendProcessId: 1 };
  expect((await client.discardTemp()).error).toMatchObject({ code: "RESERVATION_LOST" });
  expect(await client.release()).toMatchObject({ error: undefined, reservation: undefined });
});

const FIRST_STATEMENTS: readonly [string, string | Statement][] = [
  ["an error of the planner", "select nothing_like_it"],
  ["an error of the parser", "selec"],
  ["an error of the executor", "select 1 / 0"],
  ["several statements", "select 1; select 1 / 0"],
  [
    "a statement with parameters",
    {
      type: "prepared",
      sql: "select 1 / $1::int",
      parameterTypes: [],
      parameters: [Buffer.from("0")],
      parameterFormats: [],
      resultFormats: [],
      maxRows: 0,
      describe: true,
    },
  ],
  ["a statement that is only parsed", { type: "parse", sql: "selec", parameterTypes: [] }],
];

test.each(FIRST_STATEMENTS)(
  "%s in the first statement leaves a failed transaction reserved",
  async (_, statement) => {
    const failed =
      typeof statement === "string"
        ? await client.reserve(statement, Transaction)
        : await client.reserve("", Transaction, { statement });
    expect(failed.error).toMatchObject({ code: "DATABASE_ERROR" });
    expect(failed.reservation).toMatchObject({ reasons: Transaction });
    expect((await client.run("select 1")).error?.diagnostic).toMatchObject({ code: "25P02" });
    expect(await client.commit()).toMatchObject({ tags: ["ROLLBACK"], reservation: undefined });
  },
);

test("a statement does not run when the BEGIN before it fails", async () => {
  const sql = "insert into t values (1)";
  const failed = await client.reserve(sql, Transaction, {
    begin: "begin isolation level nonsense",
  });
  expect(failed).toMatchObject({
    error: { diagnostic: { code: "42601" } },
    reservation: undefined,
  });
  expect((await query(pooler, "select count(*) from t")).values).toEqual(["0"]);
});

test("an error inside of a transaction keeps it, and says so", async () => {
  await client.reserve("insert into t values (1)", Transaction);
  const failed = await client.run("select 1 / 0");
  expect(failed.error).toMatchObject({ diagnostic: { code: "22012" } });
  expect(failed.reservation).toMatchObject({ reasons: Transaction });
  expect(await client.rollback()).toMatchObject({ tags: ["ROLLBACK"], reservation: undefined });
});

test("savepoints work as in a session", async () => {
  await client.reserve("insert into t values (1)", Transaction);
  await client.run("savepoint a");
  await client.run("select 1 / 0");
  expect(await client.run("rollback to a")).toMatchObject({ tags: ["ROLLBACK"], error: undefined });
  expect(await client.commit()).toMatchObject({ tags: ["COMMIT"] });
  expect((await query(pooler, "select count(*) from t")).values).toEqual(["1"]);
});

test("a chain keeps the reservation in its next transaction", async () => {
  await client.reserve("insert into t values (1)", Transaction);
  const chained = await client.commit({ chain: true });
  expect(chained).toMatchObject({ tags: ["COMMIT"], reservation: { reasons: Transaction } });
  await client.run("insert into t values (2)");
  expect(await client.rollback({ chain: true })).toMatchObject({
    tags: ["ROLLBACK"],
    reservation: { reasons: Transaction },
  });
  await client.run("insert into t values (3)");
  expect(await client.commit()).toMatchObject({ reservation: undefined });
  expect((await query(pooler, "select x from t order by 1")).values).toEqual(["1", "3"]);
});

test("a COMMIT that fails has rolled back, and nothing is reserved any more", async () => {
  await client.reserve("insert into t values (1), (1)", Transaction);
  const failed = await client.commit();
  expect(failed).toMatchObject({
    error: { diagnostic: { code: "23505" } },
    reservation: undefined,
  });
  expect((await query(pooler, "select count(*) from t")).values).toEqual(["0"]);
});

test("what is reserved for something else outlives a COMMIT that fails", async () => {
  await client.reserve("create temp table mine (y int)", TempTable);
  await client.run("insert into t values (1), (1)", { reasons: Transaction });
  const failed = await client.commit();
  expect(failed).toMatchObject({
    error: { diagnostic: { code: "23505" }, reservation: { reasons: TempTable } },
  });
  expect((await client.run("select count(*) from mine")).values).toEqual(["0"]);
});

test.each([
  ["with settings to go back to", new Map<string, string>(), true],
  ["without", undefined, false],
])("after a ROLLBACK %s the backend is used again: %#", async (_, rollbackSettings, isKept) => {
  const { reservation } = await client.reserve("select 1", Transaction);
  expect(await client.rollback({ rollbackSettings })).toMatchObject({ error: undefined });
  const [row] = await postgres.sql(
    "select count(*)::int as n from pg_stat_activity where pid = $1",
    {
      values: [reservation?.backendProcessId],
    },
  );
  expect(row).toEqual({ n: isKept ? 1 : 0 });
});

test("COMMIT and a chain need a transaction, ROLLBACK does not", async () => {
  await client.reserve("create temp table mine (y int)", TempTable);
  expect(await client.commit()).toMatchObject({
    error: { code: "INVALID_ARGUMENT", message: "no active transaction" },
    reservation: { reasons: TempTable },
  });
  expect(await client.rollback({ chain: true })).toMatchObject({
    error: { code: "INVALID_ARGUMENT" },
    reservation: { reasons: TempTable },
  });
  expect(await client.rollback()).toMatchObject({
    tags: ["ROLLBACK"],
    error: undefined,
    reservation: { reasons: TempTable },
  });
});

test("a transaction begins in a reservation for something else", async () => {
  const first = await client.reserve("create temp table mine (y int)", TempTable);
  const begun = await client.run("insert into mine values (1)", { reasons: Transaction });
  expect(begun.reservation).toEqual({ ...first.reservation, reasons: TempTable | Transaction });
  const again = await client.run("insert into mine values (2)", {
    reasons: Transaction,
    begin: "begin read only",
  });
  expect(again).toMatchObject({ error: undefined, tags: ["INSERT 0 1"] });
  expect(await client.rollback()).toMatchObject({ reservation: { reasons: TempTable } });
  expect((await client.run("select count(*) from mine")).values).toEqual(["0"]);
});

test("a BEGIN that fails leaves a reservation as it was", async () => {
  await client.reserve("create temp table mine (y int)", TempTable);
  const failed = await client.run("insert into mine values (1)", {
    reasons: Transaction | SessionAdvisoryLock,
    begin: "begin isolation level nonsense",
  });
  expect(failed).toMatchObject({
    error: { diagnostic: { code: "42601" }, reservation: { reasons: TempTable } },
  });
  expect((await client.run("select count(*) from mine")).values).toEqual(["0"]);
});

test("a statement that makes no temporary table reserves nothing", async () => {
  const failed = await client.reserve("create temp table mine (y nonsense)", TempTable);
  expect(failed).toMatchObject({ error: { code: "DATABASE_ERROR" }, reservation: undefined });
});

test("a backend that had a temporary table is closed when it is released", async () => {
  const { reservation } = await client.reserve("create temp table mine (y int)", TempTable);
  const discarded = await client.discardTemp();
  expect(discarded).toMatchObject({ tags: ["DISCARD TEMP"], reservation: undefined });
  expect(await nextProcessId()).not.toBe(reservation?.backendProcessId);
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
  expect(await nextProcessId()).toBe(reservation?.backendProcessId);
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
  expect(await nextProcessId()).toBe(reservation?.backendProcessId);
  expect((await query(pooler, "show work_mem")).values).not.toEqual(["7MB"]);
  expect((await query(pooler, "select pg_listening_channels()")).values).toEqual([]);
  expect((await query(pooler, "select name from pg_prepared_statements")).values).toEqual([]);
});

/** A statement with one parameter. */
function prepared(sql: string, value: string, maxRows = 0): Statement {
  return {
    type: "prepared",
    sql,
    parameterTypes: [],
    parameters: [Buffer.from(value)],
    parameterFormats: [],
    resultFormats: [],
    portal: maxRows === 0 ? undefined : "p",
    maxRows,
    describe: true,
  };
}

test("statements of the registry run in a transaction, from its first one on", async () => {
  const insert = "insert into t values ($1::int)";
  await client.reserve("", Transaction, { statement: prepared(insert, "1") });
  expect(await client.run("", { statement: prepared(insert, "2") })).toMatchObject({
    tags: ["INSERT 0 1"],
  });
  await client.commit();
  await client.reserve("", Transaction, { statement: prepared(insert, "3") });
  await client.rollback();
  const failed = await client.reserve("", Transaction, {
    statement: prepared("select x + $1::int from t", "1"),
    begin: "begin isolation level nonsense",
  });
  expect(failed).toMatchObject({
    error: { diagnostic: { code: "42601" } },
    reservation: undefined,
  });
  const after = await client.reserve("", Transaction, {
    statement: prepared("select x + $1::int from t order by 1", "1"),
  });
  expect(after.values).toEqual(["2", "3"]);
});

test("a portal with more rows keeps its backend until it is run to its end", async () => {
  const sql = "select generate_series(1, $1::int)";
  const first = await client.reserve("", Transaction, { statement: prepared(sql, "3", 2) });
  expect(first).toMatchObject({
    values: ["1", "2"],
    reservation: { reasons: Transaction | Portal },
  });
  expect((await client.run("fetch 5 from p")).values).toEqual(["3"]);
  expect(await client.rollback({ releases: "all" })).toMatchObject({ reservation: undefined });
  const whole = await client.reserve("", Portal, { statement: prepared(sql, "2", 5) });
  expect(whole).toMatchObject({ values: ["1", "2"], reservation: undefined });
});

test("a statement is described as the session of the reservation sees it", async () => {
  await client.reserve("create temp table mine (y text)", TempTable);
  const describe = (id: bigint): ReturnType<ReturnType<MultiPooler["getExecutor"]>["describe"]> =>
    pooler.getExecutor().describe({
      caller: { user: "", settings: new Map(), origin: "" },
      place: { type: "reserved", id },
      statement: { sql: "select y from mine where y = $1", parameterTypes: [] },
    });
  expect(await describe(client.id)).toMatchObject({
    parameterTypes: [25],
    fields: [{ name: "y", dataTypeOid: 25 }],
  });
  await expect(describe(17n)).rejects.toMatchObject({ code: "RESERVATION_LOST" });
});
