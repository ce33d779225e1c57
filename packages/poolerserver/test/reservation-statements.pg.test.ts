import { ReservationReason } from "@multipooler/query-service";
import type { Statement } from "@multipooler/query-service";
import { expect, test } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { ReservingClient } from "./reserving-client.ts";
import { useReservations } from "./reservation-scene.ts";

const { Transaction, TempTable, Portal } = ReservationReason;

let pooler: MultiPooler;
let client: ReservingClient;

useReservations((scene) => {
  ({ pooler, client } = scene);
});

/** PostgreSQL reads the constant when it parses the text. */
const INSTANT = "select extract(epoch from '2024-01-02 00:00'::timestamptz)::int + $1::int";
const IN_CHATHAM = "1704104100";

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

test.for([
  "set local timezone = 'Pacific/Chatham'",
  "set timezone = 'Pacific/Chatham'",
  "select set_config('timezone', 'Pacific/Chatham', true)",
])("what a transaction parses behind %s is for nobody else", async (change) => {
  const asked = prepared(INSTANT, "0");
  const usual = (await client.reserve("", Transaction, { statement: asked })).values;
  await client.rollback();
  const others = [client, new ReservingClient(pooler), new ReservingClient(pooler)];
  for (const one of others) {
    expect((await one.reserve("", Transaction, { statement: asked })).values).toEqual(usual);
    await one.run("savepoint a");
    await one.run(change);
    expect((await one.run("", { statement: asked })).values).toEqual([IN_CHATHAM]);
    await one.run("rollback to a");
    expect((await one.run("", { statement: asked })).values).toEqual(usual);
    await one.run(change);
    expect((await one.run("", { statement: asked })).values).toEqual([IN_CHATHAM]);
    await one.rollback();
    expect((await one.reserve("", Transaction, { statement: asked })).values).toEqual(usual);
    await one.rollback();
  }
});
