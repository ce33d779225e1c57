import { expect, test } from "vitest";
import {
  ADMINISTRATION,
  ALLOWED,
  REFUSED_ALL_THE_SAME,
  WRITES_WITHOUT_GUARD,
} from "../test/read-only-attempts.ts";
import { findReadOnlyEscape } from "./read-only-guard.ts";

// What the guard has to find is proved against PostgreSQL in test/read-only.pg.test.ts.

test.each([...WRITES_WITHOUT_GUARD, ...REFUSED_ALL_THE_SAME, ...ADMINISTRATION])(
  "finds the escape in %s",
  (sql) => {
    expect(findReadOnlyEscape(sql)).toEqual(expect.any(String));
    expect(findReadOnlyEscape(Buffer.from(sql))).toEqual(expect.any(String));
  },
);

test.each(ALLOWED)("finds nothing in %s", (sql) => {
  expect(findReadOnlyEscape(sql)).toBeUndefined();
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
  ["select pg_promote()", "pg_promote"],
  ["alter system reset all", "ALTER SYSTEM"],
  ["copy t to program 'cat'", "COPY with a program"],
  ["commit; select 1", "a statement behind the end of a transaction"],
])("says what %s does", (sql, found) => {
  expect(findReadOnlyEscape(sql)).toBe(found);
});

test("going back to a savepoint does not end the transaction", () => {
  for (const back of [
    "rollback to s",
    "rollback work to s",
    "rollback transaction to savepoint s",
  ]) {
    expect(findReadOnlyEscape(`begin; ${back}; select 1`)).toBeUndefined();
  }
  for (const end of ["rollback", "rollback work", "abort transaction", "end", "commit and chain"]) {
    expect(findReadOnlyEscape(`begin; ${end}; select 1`)).toEqual(expect.any(String));
  }
});
