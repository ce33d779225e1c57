import { startPostgres } from "@multipooler/embedded-postgres";
import type { EmbeddedPostgres } from "@multipooler/embedded-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Classifier } from "../src/classification/classifier.ts";
import { Taint } from "../src/classification/taint.ts";
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
