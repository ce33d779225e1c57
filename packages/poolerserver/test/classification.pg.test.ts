import type { TestPostgres } from "@multipooler/test-postgres";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Classifier } from "../src/classification/classifier.ts";
import { Taint } from "../src/classification/taint.ts";
import { randomStatement } from "./random-statement.ts";
import { taintLeftBy } from "./session-state.ts";
import { OBJECTS, STATEMENTS } from "./tainting-objects.ts";
import { useServer } from "./test-server.ts";

let postgres: TestPostgres;
let classifier: Classifier;

useServer(async (started) => {
  postgres = started;
  for (const sql of OBJECTS) {
    await postgres.sql(sql);
  }
  classifier = classifierOf(postgres);
  await classifier.refresh();
});

function classifierOf(server: TestPostgres, database = "postgres"): Classifier {
  return new Classifier({
    admin: async (sql, values) => await server.sql(sql, { values: [...values], database }),
  });
}

test.each(STATEMENTS)("knows what is left by: %s", async (sql, leaves) => {
  const { taint, sharing } = classifier.classify(sql);
  const left = await taintLeftBy(postgres, sql);
  expect({ taint: taint !== Taint.None, left: left !== Taint.None }).toEqual({
    taint: leaves,
    left: leaves,
  });
  // All that is left is known by its kind.
  expect(left & ~taint).toBe(Taint.None);
  if (leaves) {
    expect(sharing).toBe("exclusive");
  }
});

test.each([
  ["select * from pg_stat_activity", "shareable"],
  ["select * from information_schema.tables", "shareable"],
  ["select id, mild(id) from mild_view where id ==== 1", "shareable"],
  ["select mild_local()", "mayWait"],
  ["select pg_sleep(0)", "mayWait"],
  ["select pg_advisory_xact_lock(1)", "mayWait"],
  ["select * from sleepy", "mayWait"],
  ["select * from plain for update", "mayWait"],
  ["insert into plain values (5000)", "mayWait"],
])("knows what waits: %s is %s", (sql, sharing) => {
  expect(classifier.classify(sql)).toMatchObject({ sharing, taint: Taint.None });
});

test("an event trigger counts for statements that define something", async () => {
  await using database = await postgres.createDatabase();
  const own = classifierOf(postgres, database.name);
  const run = async (sql: string) => await postgres.sql(sql, { database: database.name });
  await run(`create function sly_event() returns event_trigger language plpgsql
    as $$ begin perform pg_backup_start('x'); end $$`);
  await own.refresh();
  expect(own.classify("create table t (a int)").taint & Taint.Lasting).toBe(Taint.None);
  await run("create event trigger e on ddl_command_end execute function sly_event()");
  await own.refresh();
  expect(own.classify("create table t (a int)").taint & Taint.Lasting).toBe(Taint.Lasting);
  expect(own.classify("select 1 from t").taint).toBe(Taint.None);
});

test("a view that is replaced is known after the next refresh", async () => {
  await using database = await postgres.createDatabase();
  const own = classifierOf(postgres, database.name);
  const run = async (sql: string) => await postgres.sql(sql, { database: database.name });
  await run("create view v as select 'x'::text as c");
  await own.refresh();
  expect(own.classify("select c from v").sharing).toBe("shareable");

  own.noteDdl();
  await run("create or replace view v as select set_config('a.b', 'x', false) as c");
  expect(own.classify("select c from v").taint).toBe(Taint.Unknown);
  await own.refresh();
  expect(own.classify("select c from v").taint & Taint.Settings).toBe(Taint.Settings);

  await run("create or replace view v as select 'x'::text as c");
  await own.refresh();
  expect(own.classify("select c from v").sharing).toBe("shareable");
});

test("objects of users do not stand in for those of the catalog", async () => {
  await using database = await postgres.createDatabase();
  const own = classifierOf(postgres, database.name);
  const run = async (sql: string) => await postgres.sql(sql, { database: database.name });
  await run("create view v as select set_config('a.b', 'x', false) as c");
  for (const table of ["pg_proc", "pg_rewrite", "pg_depend", "pg_class", "pg_settings"]) {
    await run(`create table public.${table} (oid oid)`);
  }
  await run(
    "create function public.string_to_array(text, text) returns text[] return '{}'::text[]",
  );
  await run(
    "create function public.concat(variadic \"any\") returns text language internal as 'text_concat'",
  );
  await run(`alter database ${database.name} set search_path = public, pg_catalog`);
  await own.refresh();
  expect(own.classify("select c from v").taint & Taint.Settings).toBe(Taint.Settings);
});

test("no statement leaves more than it is known to leave", async () => {
  const seen = { clean: 0, tainted: 0 };
  await fc.assert(
    fc.asyncProperty(randomStatement, async (sql) => {
      const { taint } = classifier.classify(sql);
      seen[taint === Taint.None ? "clean" : "tainted"] += 1;
      expect((await taintLeftBy(postgres, sql)) & ~taint).toBe(Taint.None);
    }),
    { numRuns: 60 },
  );
  // Both kinds came up: about a third of 60 statements is clean.
  expect(seen.clean).toBeGreaterThan(2);
  expect(seen.tainted).toBeGreaterThan(2);
}, 60_000);
