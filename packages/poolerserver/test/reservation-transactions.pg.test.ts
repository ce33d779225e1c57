import { ReservationReason } from "@multipooler/query-service";
import type { Statement } from "@multipooler/query-service";
import type { TestPostgres, TemporaryDatabase } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { databaseOf, query, servingPooler } from "./pooler-fixture.ts";
import { ReservingClient } from "./reserving-client.ts";
import { useReservations } from "./reservation-scene.ts";

const { Transaction, TempTable, SessionAdvisoryLock } = ReservationReason;

let postgres: TestPostgres;
let database: TemporaryDatabase;
let pooler: MultiPooler;
let client: ReservingClient;

useReservations((scene) => {
  ({ postgres, database, pooler, client } = scene);
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
