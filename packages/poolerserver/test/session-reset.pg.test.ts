import { decodeParameterStatus } from "@multipooler/query-service";
import type { TestPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { databaseOf, query, servingPooler } from "./pooler-fixture.ts";
import { RecordingSink } from "./recording-sink.ts";
import { failureOf } from "./settled.ts";
import { useServer } from "./test-server.ts";

let postgres: TestPostgres;

useServer(
  async (started) => {
    postgres = started;
    await postgres.sql("create table ledger (id serial, entry text)");
    await postgres.sql("create role somebody");
    await postgres.sql(`create function changes_setting() returns trigger language plpgsql as $$
    begin perform set_config('app.secret', 'leaked', false); return new; end $$`);
    await postgres.sql(`create function change_path() returns text language sql volatile
    as $$ select set_config('search_path', 'pg_catalog', false) $$`);
    await postgres.sql("create view changes_path as select change_path() as c");
    await postgres.sql(`create function change_path(int, int) returns text language sql volatile
    as $$ select set_config('search_path', 'pg_catalog', false) $$`);
    await postgres.sql(
      "create operator |#| (function = change_path, leftarg = int, rightarg = int)",
    );
    await postgres.sql("create domain changing as text check (change_path() <> '')");
    await postgres.sql(`create trigger changes_setting after insert on ledger
    for each row execute function changes_setting()`);
  },
  { settings: { timezone: "UTC" } },
);

interface Leak {
  /** A query string that leaves something behind in a session. */
  readonly leaves: string;
  /** How the next request would see it, and what it sees if it is not there. */
  readonly look: string;
  readonly sees: readonly (string | null)[];
}

const LEAKS: readonly Leak[] = [
  { leaves: "set timezone = 'Asia/Tokyo'", look: "show timezone", sees: ["UTC"] },
  { leaves: "set work_mem = '64kB'", look: "show work_mem", sees: ["4MB"] },
  {
    leaves: "select set_config('app.secret', 'leaked', false)",
    look: "select current_setting('app.secret', true)",
    sees: [""],
  },
  {
    leaves: "insert into ledger (entry) values ('x')",
    look: "select current_setting('app.secret', true)",
    sees: [""],
  },
  {
    leaves: "select c from changes_path",
    look: "show search_path",
    sees: ['"$user", public'],
  },
  {
    leaves: "explain (analyze) select c from changes_path",
    look: "show search_path",
    sees: ['"$user", public'],
  },
  { leaves: "select 1 |#| 2", look: "show search_path", sees: ['"$user", public'] },
  { leaves: "select 'x'::changing", look: "show search_path", sees: ['"$user", public'] },
  { leaves: "set role somebody", look: "select current_user::text", sees: ["postgres"] },
  {
    leaves: "set session authorization somebody",
    look: "select session_user::text",
    sees: ["postgres"],
  },
  {
    leaves: "create temp table hidden (x int)",
    look: "select to_regclass('hidden')::text",
    sees: [null],
  },
  {
    leaves: "select 1 as x into temp hidden",
    look: "select to_regclass('hidden')::text",
    sees: [null],
  },
  {
    leaves: "prepare mine as select 1",
    look: "select name from pg_prepared_statements",
    sees: [],
  },
  {
    leaves: "declare mine cursor with hold for select 1",
    look: "select name from pg_cursors where name = 'mine'",
    sees: [],
  },
  { leaves: "listen gossip", look: "select pg_listening_channels()", sees: [] },
  {
    leaves: "select pg_advisory_lock(42)",
    look: "select count(*)::text from pg_locks where locktype = 'advisory'",
    sees: ["0"],
  },
  {
    leaves: "do $$ begin perform pg_advisory_lock(42); end $$",
    look: "select count(*)::text from pg_locks where locktype = 'advisory'",
    sees: ["0"],
  },
];

test.each(LEAKS)("nothing is left of: $leaves", async ({ leaves, look, sees }) => {
  await using pooler = await servingPooler(databaseOf(postgres), { capacity: 1 });
  const pid = (await query(pooler, "select pg_backend_pid()")).values;
  await query(pooler, leaves);
  expect((await query(pooler, look)).values).toEqual(sees);
  expect((await query(pooler, "select pg_backend_pid()")).values).toEqual(pid);
});

test("the last value of a sequence is not told to the next request", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), { capacity: 1 });
  await query(pooler, "insert into ledger (entry) values ('x')");
  expect(await failureOf(query(pooler, "select lastval()"))).toMatchObject({
    diagnostic: { code: "55000" },
  });
});

test("a random seed ends with its session", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), { capacity: 1 });
  const seeded = await query(pooler, "select setseed(0.5); select random()::text");
  const next = await query(pooler, "select random()::text");
  expect(next.values[0]).not.toEqual(seeded.values[1]);
  await query(pooler, "select setseed(0.5)");
  expect((await query(pooler, "select random()::text")).values).not.toEqual([seeded.values[1]]);
});

test.each([
  "select set_config('seed', '0.5', false)",
  "do $$ begin perform setseed(0.5); end $$",
  "set seed = 0.5",
])("a seed that is set by %s foretells nobody's random numbers", async (seeds) => {
  await using pooler = await servingPooler(databaseOf(postgres), { capacity: 1 });
  await query(pooler, seeds);
  const first = await query(pooler, "select random()::text");
  await query(pooler, seeds);
  expect((await query(pooler, "select random()::text")).values).not.toEqual(first.values);
});

test("a temporary replication slot ends with its session", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), { capacity: 1 });
  await query(pooler, "select pg_create_physical_replication_slot('mine', true, true)");
  expect((await query(pooler, "select slot_name::text from pg_replication_slots")).values).toEqual(
    [],
  );
});

test("a transaction that is left open is rolled back, and said so", async () => {
  await postgres.sql("delete from ledger");
  await using pooler = await servingPooler(databaseOf(postgres), { capacity: 1 });
  const sink = new RecordingSink();
  const sql = "begin; insert into ledger (entry) values ('open')";
  expect(await failureOf(query(pooler, sql, { sink }))).toMatchObject({
    code: "INVALID_ARGUMENT",
    diagnostic: { code: "25000" },
  });
  expect(sink.tags).toEqual(["BEGIN", "INSERT 0 1"]);
  expect((await query(pooler, "select count(*)::text from ledger")).values).toEqual(["0"]);
});

test("a transaction that a query string begins and ends is committed", async () => {
  await postgres.sql("delete from ledger");
  await using pooler = await servingPooler(databaseOf(postgres), { capacity: 1 });
  const sql = "begin; insert into ledger (entry) values ('done'); commit";
  expect((await query(pooler, sql)).tags).toEqual(["BEGIN", "INSERT 0 1", "COMMIT"]);
  expect((await query(pooler, "select entry from ledger")).values).toEqual(["done"]);
});

test("a setting survives within the query string that makes it", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), { capacity: 1 });
  const sink = await query(pooler, "set timezone = 'Asia/Tokyo'; show timezone");
  expect(sink.values).toEqual(["Asia/Tokyo"]);
  const reported = sink.events.flatMap((event) =>
    event.type === "parameterStatus" ? [decodeParameterStatus(event.bytes)] : [],
  );
  expect(reported).toContainEqual({ name: "TimeZone", value: "Asia/Tokyo" });
});
