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
