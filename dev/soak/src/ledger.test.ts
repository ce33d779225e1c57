import pg from "pg";
import { expect, test } from "vitest";
import { Ledger } from "./ledger.ts";

function failure(code: string): pg.DatabaseError {
  const error = new pg.DatabaseError("no", 0, "error");
  error.code = code;
  return error;
}

test("rows are lost, twice or surplus by what their clients were answered", async () => {
  const ledger = new Ledger();
  const [lost = 0, there = 0, refused = 0, doubtful = 0, unsent = 0] = ledger.take(5);
  await ledger.commit([lost, there], () => Promise.resolve());
  await expect(
    ledger.commit([refused], () => Promise.reject(failure("57014"))),
  ).rejects.toBeInstanceOf(pg.DatabaseError);
  await expect(
    ledger.commit([doubtful], () => Promise.reject(failure("57P01"))),
  ).rejects.toBeInstanceOf(pg.DatabaseError);
  expect(ledger.compare([lost, there])).toEqual({ lost: [], twice: [], surplus: [] });
  expect(ledger.compare([there, there, refused, doubtful, unsent])).toEqual({
    lost: [lost],
    twice: [there],
    surplus: [refused, unsent],
  });
  expect([ledger.acknowledged, ledger.doubtful]).toEqual([2, 1]);
});
