import { startPostgres } from "@multipooler/embedded-postgres";
import type { EmbeddedPostgres } from "@multipooler/embedded-postgres";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Classifier } from "../src/classification/classifier.ts";
import { Taint } from "../src/classification/taint.ts";
import { randomStatement } from "./random-statement.ts";
import { taintLeftBy } from "./session-state.ts";
import { OBJECTS, STATEMENTS } from "./tainting-objects.ts";

let postgres: EmbeddedPostgres;
let classifier: Classifier;

beforeAll(async () => {
  postgres = await startPostgres();
  for (const sql of OBJECTS) {
    await postgres.sql(sql);
  }
  classifier = classifierOf(postgres);
  await classifier.refresh();
}, 60_000);

afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

function classifierOf(server: EmbeddedPostgres): Classifier {
  return new Classifier({
    admin: async (sql, values) => await server.sql(sql, { values: [...values] }),
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

test("no statement leaves more than it is known to leave", async () => {
  const seen = { clean: 0, tainted: 0 };
  await fc.assert(
    fc.asyncProperty(randomStatement, async (sql) => {
      const { taint } = classifier.classify(sql);
      seen[taint === Taint.None ? "clean" : "tainted"] += 1;
      expect((await taintLeftBy(postgres, sql)) & ~taint).toBe(Taint.None);
    }),
    { numRuns: 120 },
  );
  expect(seen.clean).toBeGreaterThan(5);
  expect(seen.tainted).toBeGreaterThan(5);
});
