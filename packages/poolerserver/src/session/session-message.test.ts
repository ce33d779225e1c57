import { PoolerErrorCode, decodeDiagnostic } from "@multipooler/query-service";
import { expect, test } from "vitest";
import { MultiPoolerError, errorDiagnostic } from "../error.ts";
import { sessionErrorMessage } from "./session-message.ts";

test.for(Object.values(PoolerErrorCode))("%s becomes an error that drivers understand", (code) => {
  const message = sessionErrorMessage(new MultiPoolerError(code, "why\0 it failed"), "ERROR");
  const { severity, code: state, message: text } = decodeDiagnostic(message);
  expect({ severity, state }).toEqual({
    severity: "ERROR",
    state: expect.stringMatching(/^[0-9A-Z]{5}$/),
  });
  expect(text).toBe(code === "INTERNAL" ? "internal error of the pooler" : "why it failed");
});

test("an error of the server keeps its fields, with the severity that fits", () => {
  const diagnostic = errorDiagnostic("57P01", "terminating", { detail: "by hand" });
  const error = new MultiPoolerError(PoolerErrorCode.ConnectionLost, "lost", { diagnostic });
  expect(decodeDiagnostic(sessionErrorMessage(error, "FATAL"))).toMatchObject({
    severity: "FATAL",
    code: "57P01",
    message: "terminating",
    detail: "by hand",
  });
});
