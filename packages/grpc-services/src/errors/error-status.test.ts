import { decodeFields } from "@multipooler/query-service";
import { expect, test } from "vitest";
import { GrpcServicesError, GrpcServicesErrorCode } from "./error.ts";
import { errorStatus } from "./error-status.ts";
import { decodeRpcError } from "./rpc-status.ts";

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

test("a controller whose results are no messages of PostgreSQL is INTERNAL, and says what is wrong", () => {
  const error = thrownBy(() => decodeFields(Buffer.from("54000000060001", "hex")));
  const { code, message, details } = errorStatus(error);
  expect({ code, message }).toEqual({
    code: 13,
    message: `malformed result: ${error instanceof Error ? error.message : ""}`,
  });
  expect(details === undefined ? undefined : decodeRpcError(details)).toMatchObject({
    code: 13,
    message,
    pgDiagnostic: undefined,
  });
});

test("an error of no known type gives nothing away", () => {
  for (const error of [new Error("secret"), "secret", undefined]) {
    expect(errorStatus(error)).toMatchObject({ code: 13, message: "internal error" });
  }
});

/** The gRPC code and, where clients of PostgreSQL are to see one, the SQLSTATE. */
const OWN: Readonly<Record<GrpcServicesErrorCode, readonly [code: number, sqlState?: string]>> = {
  LISTEN_FAILED: [13],
  ALREADY_LISTENING: [13],
  CANCELLED: [1],
  INVALID_ARGUMENT: [3],
  TLS_FILES_INVALID: [13],
  MISSING_ARGUMENT: [2],
  NOT_FOUND: [5],
  UNAVAILABLE: [14],
  LOOKUP_FAILED: [13],
  UNIMPLEMENTED: [12],
  MALFORMED_REQUEST: [13],
  MESSAGE_TOO_LARGE: [8, "54000"],
  REQUEST_TOO_LARGE: [8],
  RECEIVE_TIMEOUT: [4],
  RECEIVING_TOO_MUCH: [8, "53400"],
  SUBSCRIBER_BEHIND: [8, "53400"],
  ABORTED: [10],
  INCOMPLETE_REQUEST: [13],
  TOKENS_INVALID: [13],
  SETTINGS_REFUSED: [9],
  MALFORMED_ROWS: [13],
};

test.each(Object.values(GrpcServicesErrorCode))("%s has a status of its own", (name) => {
  const { code, message, details } = errorStatus(new GrpcServicesError(name, "it broke"));
  const rpcError = details === undefined ? undefined : decodeRpcError(details);
  expect(message).toBe("it broke");
  expect([code, rpcError?.pgDiagnostic?.code]).toEqual([OWN[name][0], OWN[name][1]]);
});
