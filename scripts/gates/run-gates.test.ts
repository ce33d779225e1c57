import { expect, test } from "vitest";
import type { Gate, GateResult } from "./gate.ts";
import { runGates, summary } from "./run-gates.ts";

function gate(name: string, result: () => GateResult): Gate {
  return { name, proves: `${name} holds`, run: async () => await Promise.resolve(result()) };
}

test("a gate that could not do its work is no passed one, and says why", async () => {
  const printed: string[] = [];
  const verdicts = await runGates(
    [
      gate("lint", () => ({ ok: true, output: "all of it" })),
      gate("audit", () => ({ ok: true, isSkipped: true, output: "nobody was asked" })),
      gate("types", () => ({ ok: false, output: "one\ntwo" })),
      gate("units", () => {
        throw new Error("no disk");
      }),
    ],
    "/root",
    (text) => printed.push(text.replace(/ +\d+\.\d s /, " 0 s ")),
  );
  expect(printed.map((text) => text.replaceAll(/ +/g, " "))).toEqual([
    "ok lint 0 s lint holds",
    "skipped audit 0 s audit holds",
    " nobody was asked\n",
    "FAILED types 0 s types holds",
    " one\n two\n",
    "FAILED units 0 s units holds",
    " the gate is broken: Error: no disk\n",
  ]);
  expect(summary(verdicts)).toBe("\nSkipped: audit\n\nFailed: types, units\n\n1 passed, 2 failed");
});

test("where all passed, the totals are all there is", () => {
  expect(summary({ passed: ["lint"], skipped: [], failed: [] })).toBe("\n1 passed, 0 failed");
});
