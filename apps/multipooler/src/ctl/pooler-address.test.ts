import { expect, test } from "vitest";
import { withPort } from "./pooler-address.ts";

test.each([
  ["db1", "db1:15270"],
  ["db1:1", "db1:1"],
  ["127.0.0.1", "127.0.0.1:15270"],
  ["::1", "[::1]:15270"],
  ["[::1]", "[::1]:15270"],
  ["[::1]:1", "[::1]:1"],
])("%s is %s", (address, expected) => {
  expect(withPort(address, "15270")).toBe(expected);
});

test.each(["http://db1:1", "db1:0", "db1:65536", "db1:", "db1:grpc", "[::1]:x", "a b"])(
  "%j is no address",
  (address) => {
    expect(() => withPort(address, "15270")).toThrow(
      `${JSON.stringify(address)} is no address of a pooler; it must be host:port, such as 127.0.0.1:15270`,
    );
  },
);
