import { expect, test } from "vitest";
import { latenciesIn, readSummary } from "./pgbench.ts";

const SUMMARY = `pgbench (15.18)
transaction type: <builtin: select only>
number of clients: 8
number of transactions actually processed: 27014
number of failed transactions: 0 (0.000%)
latency average = 0.222 ms
initial connection time = 10.006 ms
tps = 36032.750841 (without initial connection time)
`;

test("what pgbench prints says how many transactions there were, and at which rate", () => {
  expect(readSummary(SUMMARY)).toEqual({
    transactions: 27_014,
    tps: 36_032.750841,
    loginMs: 10.006,
  });
});

test("a run that was aborted counts for nothing", () => {
  expect(() => readSummary(`${SUMMARY}Run was aborted; the above results are incomplete.`)).toThrow(
    "pgbench did not end well",
  );
  expect(() => readSummary("")).toThrow("pgbench did not end well");
});

test("the time may be over before the first transaction", () => {
  const output =
    "number of transactions actually processed: 0\nnumber of failed transactions: 0 (NaN%)";
  expect(readSummary(output)).toEqual({ transactions: 0, tps: 0, loginMs: 0 });
});

test("the log of transactions has their latencies", () => {
  const log = "0 1 412 0 1789999999 123456\n3 1 98 0 1789999999 123999\n0 2 205 0 1790000000 1\n";
  expect([...latenciesIn(log)]).toEqual([98, 205, 412]);
});
