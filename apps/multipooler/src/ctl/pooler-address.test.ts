import { expect, test } from "vitest";
import { poolerAddress } from "./pooler-address.ts";

test.each([
  ["db1", "db1:15270"],
  ["db1:1", "db1:1"],
  ["127.0.0.1", "127.0.0.1:15270"],
  ["::1", "[::1]:15270"],
  ["[::1]", "[::1]:15270"],
  ["[::1]:1", "[::1]:1"],
  ["unix:/run/multipooler/grpc sock", "unix:/run/multipooler/grpc sock"],
])("%s is %s", (address, expected) => {
  expect(poolerAddress(address, "15270")).toBe(expected);
});

test.each([
  "http://db1:1",
  "db1:0",
  "db1:65536",
  "db1:",
  "db1:grpc",
  "[::1]:x",
  "a b",
  "/run/s",
  "unix:s",
  "unix:/",
])("%j is no address", (address) => {
  expect(() => poolerAddress(address, "15270")).toThrow(
    `${JSON.stringify(address)} is no address of a pooler; it must be host:port, such as 127.0.0.1:15270, or unix:/path/of/a/socket`,
  );
});
