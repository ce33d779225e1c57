import { describe, expect, test } from "vitest";
import { WAITS, onInsert, onWrite } from "./effect.ts";
import { judge } from "./judgement.ts";
import type { KnownEffects } from "./known-effects.ts";
import { Taint } from "./taint.ts";
import type { TaintSet } from "./taint.ts";
import { readQuery } from "./text-reader.ts";
import type { Sharing } from "./classification.ts";

const KNOWN: KnownEffects = {
  names: new Map([
    ["sly", Taint.Settings],
    ["slow", WAITS],
    ["watched", onWrite(Taint.State)],
    ["serial", onInsert(Taint.Sequences)],
  ]),
  operators: new Map([["===", Taint.Settings]]),
  waitingCalls: new Set(["pg_sleep"]),
  anything: 0,
  ddl: Taint.Lasting,
};

function judged(sql: string): ReturnType<typeof judge> {
  return judge(readQuery(sql), { known: KNOWN, isCurrent: true });
}

const SHARING: Readonly<Record<Sharing, readonly string[]>> = {
  shareable: [
    "",
    ";; -- nothing",
    "select 1",
    "SELECT a.id, count(*) FROM accounts a JOIN b ON (a.id = b.id) WHERE a.id IN (1, 2) LIMIT 1",
    "(select 1) union (select 2)",
    "with x as (select lower(name) from t) select * from x where exists (select 1)",
    "values (1), (2)",
    "table accounts",
    "show timezone",
    "explain (analyze) select now()",
    "select cast(a as numeric(10, 2)), 'set x = 1', \"create\" from t -- set x",
    "select set_config('a.b', 'c', true)",
    "select * from serial",
    "select * from watched",
    "select temp, share from weather",
    `select ${"1, ".repeat(2000)} 1`,
  ],
  mayWait: [
    "insert into t values (1)",
    "update t set a = 1",
    "update serial set a = 1",
    "delete from t",
    "truncate t",
    "merge into t using s on true when matched then delete",
    "select a from t for update",
    "select a from t for no key update of t skip locked",
    "select a from watched for key share",
    "with w as (insert into t values (1) returning a) select * from w",
    "explain analyze delete from t",
    "select pg_sleep(1)",
    "select slow(1)",
  ],
  exclusive: [
    "select 1; select 2",
    "begin",
    "copy t from stdin",
    "fetch c",
    "lock t",
    "vacuum t",
    "select sly()",
    "select 1 === 2",
    "insert into serial values (1)",
    "update serial set a = default",
    "delete from watched",
    'select U&"sl\\0079"()',
    "bogus",
  ],
};

describe("sharing", () => {
  test.each(
    Object.entries(SHARING).flatMap(([sharing, texts]) => texts.map((sql) => ({ sharing, sql }))),
  )("$sharing: $sql", ({ sharing, sql }) => {
    expect(judged(sql).sharing).toBe(sharing);
  });
});

const TAINTS: readonly (readonly [taint: TaintSet, texts: readonly string[]])[] = [
  [
    Taint.None,
    [
      "select 1; select 2",
      "begin; select 1; commit",
      "set local x = 1",
      "set transaction isolation level serializable",
      "set constraints all deferred",
      "begin; set local x = 1; commit",
      "copy t to stdout",
      "notify x, 'y'",
      "declare c cursor for select 1",
      "savepoint s",
      "grant execute on function f to r",
      "select 'setseed(1)', $$ load 'x' $$ -- setseed(1)",
      "select temp from weather",
      "discard sequences; discard plans",
    ],
  ],
  [
    Taint.Settings,
    [
      "set timezone = 'UTC'",
      "select 1; set timezone = 'UTC'",
      "SET SESSION AUTHORIZATION x",
      "set role x",
      "set session characteristics as transaction read only",
      "reset all",
      "select set_config('a.b', 'c', false)",
      "select set_config('a.b', set_config('c.d', 'x', true), false)",
      "select set_config('a.b', 'c', not true)",
      "select '\\'; set timezone = 'UTC'; select ''",
      "select sly from t",
      "select x operator(s.===) y",
    ],
  ],
  [
    Taint.Seed,
    [
      "select setseed(0.5)",
      'select pg_catalog."setseed" /* c */ (0.5)',
      "select (0.5).setseed",
      "set seed = 0.5",
      "set session seed to 0.5",
      'set local "SEED" to 0.5',
      "select set_config('Seed', '0.5', true)",
      "select set_config($1, $2, true)",
      "select set_config(E'se\\145d', '0.5', true)",
    ],
  ],
  [
    Taint.Settings | Taint.Seed,
    ["select set_config($1, $2, $3)", "select set_config('seed', '0', false)"],
  ],
  [
    Taint.Sequences,
    ["select nextval('s')", "insert into serial values (1)", "copy serial from stdin"],
  ],
  [Taint.Locks, ["select pg_advisory_lock(1)", "select pg_advisory_unlock_all()"]],
  [
    Taint.State,
    [
      "prepare p as select 1",
      "declare c cursor with hold for select 1",
      "listen x",
      "unlisten *",
      "update watched set a = 1",
    ],
  ],
  [Taint.Temporary, ["select * from pg_temp.t", "discard temp; truncate pg_temp_3.t"]],
  [
    Taint.Unknown,
    [
      "do $$ begin end $$",
      "do E'begin\\n x; end'",
      "call p()",
      "execute p",
      "explain execute p",
      "discard all",
      "truncate t cascade",
      "select query_to_xml('select 1', true, true, '')",
    ],
  ],
  [
    Taint.Lasting,
    [
      "load 'auto_explain'",
      "select 1; load 'auto_explain'",
      "select pg_create_logical_replication_slot('s', 'pgoutput', true)",
      "select pg_backup_start('b')",
      "select pg_replication_origin_session_setup('o')",
      "select public.dblink_connect('c', 'dbname=other')",
      `select ${"1, ".repeat(2000)} pg_backup_start('b')`,
    ],
  ],
  [
    Taint.Lasting | Taint.Unknown,
    [
      "do $$ begin perform pg_backup_start('b'); end $$",
      "do 'begin execute ''load $x$ library $x$''; end'",
      "do E'begin\\nload \\'library\\'; end'",
      "do E'begin l\\x6fad ''library''; end'",
      "do U&'begin l!006fad ''library''; end' uescape '!'",
      "do $$ begin execute 'select pg_' || 'x'; perform 'select pg_backup_start(1)'; end $$",
    ],
  ],
];

describe("taint", () => {
  test.each(TAINTS.flatMap(([taint, texts]) => texts.map((sql) => ({ taint, sql }))))(
    "$taint: $sql",
    ({ taint, sql }) => {
      expect(judged(sql).taint).toBe(taint);
    },
  );

  test.each([
    "create temp table t (x int)",
    "select 1 into temp t",
    "create or replace temp view v as select 1",
  ])("what may make a temporary object: %s", (sql) => {
    expect(judged(sql).taint & Taint.Temporary).toBe(Taint.Temporary);
  });
});

test.each([
  ["create table t (a int)", true],
  ["drop view v; select 1", true],
  ["alter table t add b int", true],
  ["select 1 as a into t", true],
  ["explain analyze create table t as select 1", true],
  ["do $$ begin create table t (a int); end $$", true],
  ["create temp table t (a int)", false],
  ["insert into t select 1", false],
  ["select created from t", false],
])("tells whether the catalog may change: %s", (sql, ddl) => {
  expect(judged(sql).ddl).toBe(ddl);
});

test("what changes the catalog does what event triggers do", () => {
  expect(judged("create table t (a int)").taint & Taint.Lasting).toBe(Taint.Lasting);
});

test.each([
  ["copy t from stdin", "in"],
  ["COPY (select 1) TO STDOUT", "out"],
  ["copy t to stdin", "out"],
  ["copy t from stdout with (format csv, escape '\\')", "in"],
  ["copy (select * from stdin) to stdout", "out"],
  ["insert into t values (1); copy t to stdout; insert into t values (2)", "out"],
  ["begin; insert into t values (1); commit; copy t from stdin", "in"],
  ["select '\\'; copy t from stdin; select ''", "in"],
  ["copy t to '/tmp/x'", undefined],
  ["copy (select stdin from t) to '/tmp/x'", undefined],
  ["select stdin from copy", undefined],
])("finds the COPY in %s", (sql, copy) => {
  expect(judged(sql).copy).toBe(copy);
});

test.each([
  ["begin", true, false],
  ["start transaction read only; select 1", true, false],
  ["select 1; commit", false, true],
  ["rollback and chain", false, true],
  ["rollback to s", false, false],
  ["rollback work to savepoint s", false, false],
  ["prepare transaction 'x'", false, true],
  ["do $$ begin commit; end $$", false, false],
])("knows where a transaction begins and ends: %s", (sql, opensTransaction, endsTransaction) => {
  expect(judged(sql)).toMatchObject({ opensTransaction, endsTransaction });
});

test.each([
  ["deallocate all", true],
  ["discard all", true],
  ["discard temp", false],
  ["select deallocate from t", false],
])("knows what drops prepared statements: %s", (sql, deallocates) => {
  expect(judged(sql).deallocates).toBe(deallocates);
});

test("looks into functions that the same text may call", () => {
  const sql = "create function f() returns int language sql as 'select pg_backup_start()'";
  expect(judged(`${sql}; select f()`).taint & Taint.Lasting).toBe(Taint.Lasting);
});

test("counts statements", () => {
  expect(judged("; select ';' ;; -- ;\n select $$;$$").statements).toBe(2);
  expect(judged("do $$ begin a; b; end $$").statements).toBe(1);
});

test("without knowledge, anything that has to do with the catalog may do anything", () => {
  for (const sql of [
    "select * from t",
    "select 1 + 1",
    "select lower('x')",
    "insert into t values (1)",
  ]) {
    expect(judge(readQuery(sql), undefined)).toMatchObject({
      taint: Taint.Unknown,
      sharing: "exclusive",
    });
  }
  for (const sql of ["select 1", "begin", "commit", "rollback"]) {
    expect(judge(readQuery(sql), undefined).taint).toBe(Taint.None);
  }
});
