import pg from "pg";
import { expect, test } from "vitest";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { asHandleError } from "./handle-error.ts";

test.for([
  ["ERROR", "ERROR"],
  ["FATAL", "FATAL"],
  ["FEHLER", "ERROR"],
  [undefined, "ERROR"],
] as const)("a severity that PostgreSQL calls %s is %s", ([said, severity]) => {
  const cause = new pg.DatabaseError("no such table", 13, "error");
  Object.assign(cause, { severity: said, code: "42P01", position: "15" });
  const error = asHandleError(new ManagerError(ManagerErrorCode.DatabaseError, "x", { cause }));
  expect(error).toMatchObject({ name: "PoolerError", code: "DATABASE_ERROR", cause: { cause } });
  expect(error.diagnostic).toMatchObject({
    severity,
    localizedSeverity: said,
    code: "42P01",
    message: "no such table",
    position: 15,
  });
});

test("an error that PostgreSQL did not send has no diagnostic", () => {
  expect(asHandleError(new Error("broken"))).toMatchObject({
    code: "INTERNAL",
    message: "broken",
    diagnostic: undefined,
  });
});
