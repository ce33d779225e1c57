import { expect, test } from "vitest";
import { LoginGuard } from "./login-guard.ts";

function request(code: number, text = ""): Buffer {
  const body = Buffer.alloc(4);
  body.writeInt32BE(code);
  return Buffer.concat([body, Buffer.from(text)]);
}

const BOTH = request(10, "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
const UNBOUND = request(10, "SCRAM-SHA-256\0\0");
const OK = request(0);

function check(mustBind: boolean, ...requests: readonly Buffer[]): () => void {
  const guard = new LoginGuard({ mustBind });
  return () => {
    for (const each of requests) {
      guard.check(each);
    }
  };
}

test("a login that is bound passes", () => {
  expect(check(true, BOTH, request(11, "r=x"), request(12, "v=x"), OK)).not.toThrow();
});

test.each([
  ["without the mechanism", [UNBOUND], "does not offer SCRAM-SHA-256-PLUS"],
  ["by trust", [OK], "wants no SCRAM"],
  ["by MD5", [request(5, "salt")], "wants no SCRAM"],
  ["by a cleartext password", [request(3)], "wants no SCRAM"],
  ["that ends in the middle of SCRAM", [BOTH, request(11, "r=x"), OK], "wants no SCRAM"],
] as const)("a login %s is a fault", (_case, requests, why) => {
  expect(check(true, ...requests)).toThrow(`channel_binding is "require", but the server ${why}`);
  expect(check(false, ...requests)).not.toThrow();
});
