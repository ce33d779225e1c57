import { expect, test } from "vitest";
import { describeAddress, hostAndPort } from "./address-text.ts";

test("addresses are written as people write them", () => {
  expect(describeAddress({ type: "tcp", host: "db", port: 5432 })).toBe("db:5432");
  expect(describeAddress({ type: "tcp", host: "::1", port: 5432 })).toBe("[::1]:5432");
  expect(describeAddress({ type: "socket", path: "/run/.s.PGSQL.1" })).toBe("/run/.s.PGSQL.1");
});

test.each([
  ["127.0.0.1", "127.0.0.1:1"],
  ["::1", "[::1]:1"],
  ["fe80::1%eth0", "[fe80::1%eth0]:1"],
  ["db1", "db1:1"],
])("%s with a port is %s", (host, expected) => {
  expect(hostAndPort(host, 1)).toBe(expected);
});
