import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { passwordIn } from "./passfile.ts";
import type { PassfileLogin } from "./passfile.ts";

const directory = mkdtempSync(join(tmpdir(), "multipooler passfile "));
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;
function file(content: string, mode = 0o600): string {
  const path = join(directory, `passfile-${files++}`);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

const LOGIN: PassfileLogin = {
  address: { type: "tcp", host: "10.0.0.7", port: 5432 },
  host: "db1",
  database: "shop",
  user: "boss",
};

test.each([
  ["db1:5432:shop:boss:right", "right"],
  ["*:*:*:*:right", "right"],
  ["# db1:5432:shop:boss:no\n\ndb2:5432:shop:boss:no\r\ndb1:*:shop:boss:right\r\n", "right"],
  ["db1:5432:shop:boss:first\n*:*:*:*:second", "first"],
  [String.raw`db1:5432:shop:boss:a\:b\\c`, String.raw`a:b\c`],
  ["db1:5432:shop:boss:with spaces : behind", "with spaces "],
  ["db1:5433:shop:boss:no", undefined],
  ["db1:5432:shop:boss:", undefined],
  ["db1:5432:shop:boss", undefined],
  ["", undefined],
])("of %j the password is %j", (content, password) => {
  expect(passwordIn(file(content), LOGIN)).toBe(password);
});

test.each([
  ["/tmp/.s.PGSQL.5433", "localhost:5433:*:*:right\n/tmp:5433:*:*:no"],
  ["/srv/db/.s.PGSQL.5433", "localhost:5433:*:*:no\n/srv/db:5433:*:*:right"],
])(
  "the socket %s is that of its directory, or of localhost where that is the usual one",
  (path, content) => {
    const login = { ...LOGIN, address: { type: "socket", path } } as const;
    expect(passwordIn(file(content), login)).toBe("right");
  },
);

test("a file that was named has to be there, and to be private", () => {
  const open = file("*:*:*:*:secret", 0o640);
  expect(() => passwordIn(open, LOGIN)).toThrow(`${open}: others can read it: chmod 0600`);
  const absent = join(directory, "absent");
  expect(() => passwordIn(absent, LOGIN)).toThrow(`${absent}: does not exist`);
});
