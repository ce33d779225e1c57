import { expect, test } from "vitest";
import { PoolerErrorCode } from "../error.ts";
import { decodeDiagnostic } from "./diagnostic-message.ts";
import { encodePoolerError } from "./error-response.ts";

test.for(Object.values(PoolerErrorCode))("%s becomes an error that drivers understand", (code) => {
  const message = encodePoolerError(
    { code, message: "why\0 it failed", diagnostic: undefined },
    "ERROR",
  );
  const { severity, code: state, message: text } = decodeDiagnostic(message);
  expect({ severity, state }).toEqual({
    severity: "ERROR",
    state: expect.stringMatching(/^[0-9A-Z]{5}$/),
  });
  expect(text).toBe(code === "INTERNAL" ? "internal error of the pooler" : "why it failed");
});

test("an error of the server keeps its fields, with the severity that fits", () => {
  const diagnostic = {
    kind: "error",
    severity: "ERROR",
    code: "57P01",
    message: "terminating",
    detail: "by hand",
  } as const;
  const error = { code: PoolerErrorCode.ConnectionLost, message: "lost", diagnostic };
  expect(decodeDiagnostic(encodePoolerError(error, "FATAL"))).toMatchObject({
    severity: "FATAL",
    code: "57P01",
    message: "terminating",
    detail: "by hand",
  });
});

test("a refusal by the status is MTF01 to a session, and 57P03 to a login", () => {
  const error = { code: PoolerErrorCode.NotServing, message: "drained", diagnostic: undefined };
  expect(decodeDiagnostic(encodePoolerError(error, "ERROR")).code).toBe("MTF01");
  expect(decodeDiagnostic(encodePoolerError(error, "FATAL")).code).toBe("57P03");
});
