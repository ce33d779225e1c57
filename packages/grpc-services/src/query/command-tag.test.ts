import { expect, test } from "vitest";
import { rowsAffected } from "./command-tag.ts";

test.each([
  ["INSERT 0 3", 3n],
  ["UPDATE 10", 10n],
  ["DELETE 0", 0n],
  ["MERGE 18446744073709551", 18446744073709551n],
  ["COPY 7", 7n],
  ["FETCH 2", 2n],
  ["SELECT 5", 0n],
  ["CREATE TABLE", 0n],
  ["BEGIN", 0n],
  ["", 0n],
  ["UPDATE 99999999999999999999", 0n],
])("the rows that %j changed", (tag, count) => {
  expect(rowsAffected(tag)).toBe(count);
});
