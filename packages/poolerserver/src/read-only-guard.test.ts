import { expect, test } from "vitest";
import {
  ADMINISTRATION,
  ALLOWED,
  REFUSED_ALL_THE_SAME,
  WRITES_WITHOUT_GUARD,
} from "../test/read-only-attempts.ts";
import { Classifier } from "./classification/classifier.ts";
import type { ReadOnlyEscapes } from "./read-only-guard.ts";

// What has to be found is proved against PostgreSQL in test/read-only.pg.test.ts.

/** Without a catalog: by the words of the text alone. */
function escapesOf(sql: string | Buffer): ReadOnlyEscapes | undefined {
  const classifier = new Classifier({ admin: () => Promise.reject(new Error("no catalog")) });
  return classifier.classify(sql).escapes;
}

test.each([...WRITES_WITHOUT_GUARD, ...REFUSED_ALL_THE_SAME, ...ADMINISTRATION])(
  "finds the escape in %s",
  (sql) => {
    expect(escapesOf(sql)).toBeDefined();
    expect(escapesOf(Buffer.from(sql))).toEqual(escapesOf(sql));
  },
);

test.each(ADMINISTRATION)("finds that %s administers the cluster", (sql) => {
  expect(escapesOf(sql)?.administration).toEqual(expect.any(String));
});

test.each(ALLOWED)("finds nothing in %s", (sql) => {
  expect(escapesOf(sql)).toBeUndefined();
});

test.each([
  ["begin; set transaction read write", "READ WRITE"],
  ["select 1; do $$ $$", "DO"],
  ["set Default_Transaction_Read_Only = off", "default_transaction_read_only"],
  [
    "select set_config('transaction_read_only', 'off', true)",
    "set_config of transaction_read_only",
  ],
  ["select set_config(name, 'off', true)", "set_config of a name that is not constant"],
  ["commit; select 1", "a statement behind the end of a transaction"],
  ["vacuum ledger", "VACUUM"],
  ["select lo_create(0)", "lo_create"],
  ["explain analyze create table t as select 1", "EXPLAIN of a statement that makes a table"],
  ["explain analyze select 1 into t", "EXPLAIN of a statement that makes a table"],
  ["do $$ begin perform lo_unlink(1); end $$", "lo_unlink"],
])("says what of %s could write", (sql, writing) => {
  expect(escapesOf(sql)?.administration).toBeUndefined();
  expect([writing, "DO"]).toContain(escapesOf(sql)?.writing);
});

test.each([
  ["select pg_promote()", "pg_promote"],
  ["alter system reset all", "ALTER SYSTEM"],
  ["copy t to program 'cat'", "COPY with a program"],
  ["copy (select 1) to '/tmp/x'", "COPY to a file"],
  ["load 'auto_explain'", "LOAD"],
  ["do $$ begin perform pg_promote(); end $$", "pg_promote"],
  ["do $$ begin execute 'select pg_' || 'promote()'; end $$", "DO with code that cannot be read"],
  ["do language plpython3u 'x'", "DO in another language than PL/pgSQL"],
  ["do 'begin end' language \"plperl\"", "DO in another language than PL/pgSQL"],
  ['select u&"pg_\\0070romote"()', "a name with Unicode escapes"],
  ["select query_to_xml('select pg_promote()', true, true, '')", "query_to_xml"],
])("says what of %s administers the cluster", (sql, administration) => {
  expect(escapesOf(sql)?.administration).toBe(administration);
});

test.each([
  "do $$ begin perform 1; end $$",
  "do language plpgsql $$ begin raise notice 'pg_promote'; end $$",
  "call refresh_cache()",
  "discard all",
  "begin read write; select 1; commit; select 2",
  "set default_transaction_read_only = off",
])("finds nothing in %s that a standby has to be kept from", (sql) => {
  expect(escapesOf(sql)).toMatchObject({ administration: undefined });
});

test("going back to a savepoint does not end the transaction", () => {
  for (const back of [
    "rollback to s",
    "rollback work to s",
    "rollback transaction to savepoint s",
  ]) {
    expect(escapesOf(`begin; ${back}; select 1`)).toBeUndefined();
  }
  for (const end of ["rollback", "rollback work", "abort transaction", "end", "commit and chain"]) {
    expect(escapesOf(`begin; ${end}; select 1`)?.writing).toEqual(expect.any(String));
  }
});
