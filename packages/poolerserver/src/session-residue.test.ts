import { expect, test } from "vitest";
import { sessionResidue } from "./session-residue.ts";
import type { SessionResidue } from "./session-residue.ts";

const CASES: Readonly<Record<SessionResidue, readonly string[]>> = {
  none: [
    "",
    ";",
    "select 1",
    "SELECT a.id, count(*) FROM accounts a JOIN b ON (a.id = b.id) WHERE a.id IN (1, 2) LIMIT 1",
    "(select 1) union (select 2)",
    "with x as (select lower(name) from t) select * from x where exists (select 1)",
    "values (1), (2)",
    "table accounts",
    "show timezone",
    "explain (analyze) select now()",
    "select cast(a as numeric(10, 2)), 'set x = 1', \"create\" from t -- set x",
    "select 1; select 2",
  ],
  state: [
    "set timezone = 'UTC'",
    "select 1; set timezone = 'UTC'",
    "select set_config('a.b', 'c', false)",
    "select pg_advisory_lock(1)",
    "select mine()",
    "select public.lower('a')",
    "select \"lower\"('a')",
    "select nextval('s')",
    "select 1 into temp t",
    "with w as (insert into t values (1) returning a) select * from w",
    "insert into t values (1)",
    "update t set a = 1",
    "delete from t",
    "create temp table t (x int)",
    "prepare p as select 1",
    "explain execute p",
    "declare c cursor with hold for select 1",
    "listen x",
    "begin",
    "do $$ begin end $$",
    "call p()",
    "select '\\'; set timezone = 'UTC'; select ''",
    `select ${"1, ".repeat(2000)} 1`,
  ],
  copy: [
    "copy t from stdin",
    "COPY (select 1) TO STDOUT",
    "select 1; copy t from stdin",
    `select ${"1, ".repeat(2000)} 1; copy t from stdin`,
  ],
  lasting: [
    "select setseed(0.5)",
    'select pg_catalog."setseed"(0.5)',
    "set seed = 0.5",
    "set session seed to 0.5",
    "load 'auto_explain'",
    "select pg_create_logical_replication_slot('s', 'pgoutput', true)",
    "select pg_backup_start('b')",
    "select pg_replication_origin_session_setup('o')",
    "select public.dblink_connect('c', 'dbname=other')",
    `select ${"1, ".repeat(2000)} pg_backup_start('b')`,
    "select 1; load 'auto_explain'",
    `select ${"1, ".repeat(2000)} setseed(0.5)`,
    `select ${"1, ".repeat(2000)} 1; load 'auto_explain'`,
  ],
};

test.each(
  Object.entries(CASES).flatMap(([residue, strings]) => strings.map((sql) => ({ residue, sql }))),
)("leaves $residue: $sql", ({ residue, sql }) => {
  expect(sessionResidue(sql)).toBe(residue);
});
