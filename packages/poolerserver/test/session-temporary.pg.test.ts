import { expect, test } from "vitest";
import { bind, describe, execute, extended, parse, query, sync } from "@multipooler/conversations";
import type { TestClient } from "./session-client.ts";
import { useSessionStage } from "./session-stage.ts";

const stage = useSessionStage({ capacity: 1 });
const { sql, scene } = stage;

/** A machine that does much else takes its time. */
const PATIENCE = { timeout: 20_000 } as const;
const IDLE = { type: "idle" } as const;
const PINNED = { type: "pinned", reason: "SessionState" } as const;

async function untilIdle(client: TestClient): Promise<void> {
  await expect.poll(() => client.session.describe(), PATIENCE).toEqual(IDLE);
}

test.each([
  "create table made (id serial primary key)",
  "create table copied as select 1 as a",
  "select 1 as a into copied",
  "alter table kept add column more int",
  "create index on kept (id)",
  "create view seen as select id from kept",
  "create function f() returns int language sql as 'select 1'",
  "create type mood as enum ('so')",
  "drop table kept",
  "truncate kept",
  "analyze kept",
  "analyze",
  "vacuum kept",
  "reindex table kept",
  "refresh materialized view concurrently shown",
  "begin; create temp table short (a int) on commit drop; commit",
  "create temp table short (a int); drop table short",
  "create temp table short (a int); discard temp",
])("the connection is for everybody after: %s", async (text) => {
  await sql("create table kept (id int); create materialized view shown as select 1 as a");
  await sql("create unique index on shown (a)");
  await using pooler = await scene();
  const client = await pooler.connect();
  expect((await client.ask(query(text))).findLast((words) => words.startsWith("E"))).toBe(
    undefined,
  );
  await untilIdle(client);
  const other = await pooler.connect();
  expect(await other.ask(query("select to_regclass('short') is null"))).toContain("D t");
});

test("twenty clients that each make a table share one connection", async () => {
  await using pooler = await scene();
  for (let number = 0; number < 20; number += 1) {
    const client = await pooler.connect();
    await pooler.classifier.refresh();
    const create = `create table own_${number} (id int)`;
    expect(await client.ask(number % 2 === 0 ? query(create) : extended(create))).toContain(
      "C CREATE TABLE",
    );
  }
  expect(pooler.backends).toHaveLength(1);
});

test("a connection is kept while its client has temporary tables", async () => {
  await using pooler = await scene({ capacity: 2 });
  const [client, other] = [await pooler.connect(), await pooler.connect()];
  await client.ask(query("create temp table one (a int)"));
  await client.ask(query("create temp table two (a int)"));
  await pooler.classifier.refresh();
  await client.ask(query("drop table one"));
  await expect.poll(() => client.session.describe(), PATIENCE).toMatchObject(PINNED);
  expect(await other.ask(query("select to_regclass('two') is null"))).toContain("D t");
  expect(await client.ask(query("select count(*) from two"))).toContain("D 0");
  await pooler.classifier.refresh();
  await client.ask(query("drop table two"));
  await untilIdle(client);
});

test.each([
  ["by its search path", "create table hidden (a int)", "set search_path = pg_temp, public"],
  ["by its schema", "create table pg_temp.hidden (a int)", ""],
  ["as a function", "create function pg_temp.hidden() returns int language sql as 'select 1'", ""],
  ["as a type", "create type pg_temp.hidden as (a int)", ""],
])("what is temporary %s keeps its connection", async (_, create, before) => {
  await using pooler = await scene({ capacity: 2 });
  const client = await pooler.connect();
  await client.ask(query(before));
  await client.ask(query(create));
  await expect.poll(() => client.session.describe(), PATIENCE).toMatchObject(PINNED);
  await client.session.end("now");
  const other = await pooler.connect();
  expect(await other.ask(query("select pg_my_temp_schema()::regnamespace"))).not.toContain("E");
  const left = "select count(*) from pg_depend where refobjid = pg_my_temp_schema()";
  expect(await other.ask(query(left))).toContain("D 0");
});

test("a statement of a temporary table is not taken for one of another table", async () => {
  await sql("create table t (id int); insert into t values (5)");
  await using pooler = await scene();
  const client = await pooler.connect();
  await client.ask(query("create temp table t (id text, more int)"));
  await client.ask([parse("select * from t where id = $1", "s"), sync]);
  expect(await client.ask(extended("select * from t where id = $1", ["x"]))).toContain(
    "C SELECT 0",
  );
  await pooler.classifier.refresh();
  await client.ask(query("drop table t"));
  await untilIdle(client);
  const other = await pooler.connect();
  expect(await other.ask(extended("select * from t where id = $1", ["5"]))).toContain("D 5");
});

test("a temporary table is what a statement means from then on, also one that was prepared", async () => {
  await sql("create table t (id int); insert into t values (5)");
  await using pooler = await scene();
  const select = extended("select * from t where id = $1", ["5"]);
  // The second time the backend has a schema for temporary objects already.
  for (let round = 0; round < 2; round += 1) {
    const client = await pooler.connect();
    await client.ask([parse("select * from t", "s"), sync]);
    expect(await client.ask(select)).toContain("D 5");
    await client.ask(query("create temp table t as select 'temporary'::text as id"));
    expect(await client.ask(extended("select * from t"))).toContain("D temporary");
    expect(await client.ask(extended("select * from t where id = $1", ["x"]))).toContain(
      "C SELECT 0",
    );
    await client.session.end("now");
    await pooler.classifier.refresh();
  }
});

test("a client with a temporary table is the only one whose columns have changed", async () => {
  await sql("create table t (id int); insert into t values (5)");
  await using pooler = await scene({ capacity: 2 });
  const [one, two] = [await pooler.connect(), await pooler.connect()];
  const run = [bind([], { statement: "s" }), execute(), sync];
  for (const client of [one, two]) {
    await client.ask([parse("select * from t", "s"), describe("S", "s"), sync]);
    expect(await client.ask(run)).toContain("D 5");
  }
  await one.ask(query("create temp table t (a text, b text)"));
  expect(await one.ask(run)).toEqual(["E 0A000", "Z I"]);
  expect(await two.ask(run)).toContain("D 5");
});

test.each(["bigserial", "int generated always as identity"])(
  "what fills a new column shows in no other session: %s",
  async (type) => {
    await sql("create table filled as select generate_series(1, 3) as id");
    await using pooler = await scene();
    const client = await pooler.connect();
    await client.ask(query(`alter table filled add column n ${type}`));
    await pooler.classifier.refresh();
    const told = await client.ask(query("select lastval()"));
    expect(told).toContain("D 3");
    await client.session.end("now");
    const other = await pooler.connect();
    expect(await other.ask(query("select lastval()"))).toContain("E 55000");
  },
);

test("what was made before the catalog was read frees its connection when it was", async () => {
  await using pooler = await scene({ capacity: 2 });
  const client = await pooler.connect();
  await client.ask(query("create table first (a int)"));
  await client.ask(query("create table second (a int)"));
  await expect.poll(() => client.session.describe(), PATIENCE).toMatchObject(PINNED);
  await pooler.classifier.refresh();
  pooler.sessions.review();
  await untilIdle(client);
  expect(pooler.gate.counts).toEqual({ single: 0, reserved: 0 });
});

test("a client may go, and ask, while its connection is asked what is left", async () => {
  await using pooler = await scene({ capacity: 2 });
  for (const leaves of [true, false]) {
    const client = await pooler.connect();
    await client.ask(query(`create table first_${String(leaves)} (a int)`));
    await client.ask(query(`create table second_${String(leaves)} (a int)`));
    await pooler.classifier.refresh();
    pooler.sessions.review();
    if (leaves) {
      await client.session.end("now");
    } else {
      expect(await client.ask(query("select 7"))).toContain("D 7");
      await untilIdle(client);
    }
  }
  expect(pooler.gate.counts).toEqual({ single: 0, reserved: 0 });
});
