import { expect, test } from "vitest";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { ensureSidecarSchema } from "./sidecar-schema.ts";
import type { StatementRunner } from "./sidecar-schema.ts";

/** A database that says in turn whether the table is there, and fails to create it. */
function databaseThat(found: boolean[], failure: ManagerError | undefined): StatementRunner {
  return {
    query: async () => [{ found: found.shift() ?? false }],
    execute: async () => {
      if (failure !== undefined) {
        throw failure;
      }
    },
  };
}

const answered = (sqlState: string): ManagerError =>
  new ManagerError(ManagerErrorCode.DatabaseError, "as told", { sqlState });

test.each(["23505", "42P06", "42P07"])(
  "a race that another manager won (%s) is a success",
  async (sqlState) => {
    const found = [false, true];
    await ensureSidecarSchema(databaseThat(found, answered(sqlState)));
    expect(found).toEqual([]);
  },
);

test("an error that looks like a race is none when the table is not there afterwards", async () => {
  const error = answered("23505");
  await expect(ensureSidecarSchema(databaseThat([false, false], error))).rejects.toBe(error);
});

test("any other error is passed on, without another look", async () => {
  const found = [false, true];
  const error = answered("42501");
  await expect(ensureSidecarSchema(databaseThat(found, error))).rejects.toBe(error);
  expect(found).toEqual([true]);
});
