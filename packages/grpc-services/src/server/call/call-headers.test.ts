import { expect, test } from "vitest";
import { readCallHeaders } from "./call-headers.ts";

const GRPC = { ":path": "/a.B/C", "content-type": "application/grpc+proto" };

test("a call without further headers has neither a timeout nor compression", () => {
  expect(readCallHeaders(GRPC)).toEqual({
    type: "call",
    path: "/a.B/C",
    timeoutMs: undefined,
    encoding: "identity",
  });
});

test.each([
  ["1H", 3_600_000],
  ["2M", 120_000],
  ["3S", 3000],
  ["29999m", 29_999],
  ["5000u", 5],
  ["1000000n", 1],
  ["0m", 0],
  ["99999999S", 99_999_999_000],
  ["5 m", 5],
])("a timeout of %s is %d ms", (timeout, timeoutMs) => {
  expect(readCallHeaders({ ...GRPC, "grpc-timeout": timeout })).toMatchObject({ timeoutMs });
});

test.each(["", "5", "m", "-5m", "5x", "123456789m", "NaNm", "5 5m", "1e3m", " 5m", "0x5m"])(
  "a timeout of %j is refused",
  (timeout) => {
    expect(readCallHeaders({ ...GRPC, "grpc-timeout": timeout })).toMatchObject({
      type: "refused",
      status: { code: 13, message: `invalid grpc-timeout "${timeout}"` },
    });
  },
);

test.each([undefined, "application/json", "text/html"])("%s is not gRPC", (contentType) => {
  expect(readCallHeaders({ ":path": "/a.B/C", "content-type": contentType })).toEqual({
    type: "foreign",
  });
});
