import fc from "fast-check";
import { expect, test } from "vitest";
import { ConnInfoSyntaxError, formatConnInfo, withoutSecrets } from "./conn-info.ts";
import { parseConnInfo } from "./conn-info-parser.ts";

test.each<[string, Record<string, string>]>([
  ["", {}],
  [" \t ", {}],
  ["host=a port=5432", { host: "a", port: "5432" }],
  ["  host = a\n port= 5432 ", { host: "a", port: "5432" }],
  ["user='re plica' dbname=''", { user: "re plica", dbname: "" }],
  [String.raw`password='it\'s \\ it' user=x`, { password: String.raw`it's \ it`, user: "x" }],
  [String.raw`password=a\ b\'c user=x`, { password: "a b'c", user: "x" }],
  ["password=it's user=x", { password: "it's", user: "x" }],
  ["host=a host=b", { host: "b" }],
  // libpq takes what comes next for the value.
  ["user= password=x", { user: "password=x" }],
  ["user=", { user: "" }],
  ["user=a\\", { user: "a" }],
  ["password='a=b c=d'", { password: "a=b c=d" }],
  ["postgresql://", {}],
  ["postgres://host", { host: "host" }],
  [
    "postgresql://me:s%40crt@[::1]:5433/db?sslmode=require&application_name=a%20b",
    {
      user: "me",
      password: "s@crt",
      host: "::1",
      port: "5433",
      dbname: "db",
      sslmode: "require",
      application_name: "a b",
    },
  ],
  ["postgresql://a:1,b:2/db", { host: "a,b", port: "1,2", dbname: "db" }],
  [
    "postgresql:///db?host=/run/postgresql&ssl=true",
    { dbname: "db", host: "/run/postgresql", sslmode: "require" },
  ],
])("%j is read as libpq reads it", (text, values) => {
  expect(Object.fromEntries(parseConnInfo(text))).toEqual(values);
});

test.each([
  ["host", 'a keyword without "=" at character 1'],
  ["host=a nonsense", 'a keyword without "=" at character 7'],
  ["=x", 'a keyword without "=" at character 1'],
  ["host=a password='secret", 'the value of "password" has no closing quote'],
  ["postgresql://a/db?secret", 'a parameter of the URI is not of the form "keyword=value"'],
  ["postgresql://u:%zz@a", "the URI has a malformed escape in password"],
  ["postgresql://[::1/db", "the URI has a malformed host"],
])("%j is refused without a word of its values", (text, message) => {
  expect(() => parseConnInfo(text)).toThrow(new ConnInfoSyntaxError(message));
});

test("whatever is written is read as the same", () => {
  const keyword = fc.constantFrom("host", "port", "user", "password", "passfile", "dbname");
  fc.assert(
    fc.property(fc.dictionary(keyword, fc.string({ unit: "binary" })), (values) => {
      const info = new Map(Object.entries(values));
      expect(parseConnInfo(formatConnInfo(info))).toEqual(info);
    }),
  );
});

test("garbage is read or refused, and never hangs", () => {
  const piece = fc.constantFrom(
    "'",
    "\\",
    "=",
    " ",
    "a",
    "host",
    "\n",
    "postgres://",
    "@",
    "%",
    ":",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 200 }), (pieces) => {
      try {
        parseConnInfo(pieces.join(""));
      } catch (error) {
        expect(error).toBeInstanceOf(ConnInfoSyntaxError);
      }
    }),
  );
});

test("secrets are left out, however they are quoted", () => {
  const text = String.raw`host=a password='x y\'z' sslpassword=k user=u`;
  expect(withoutSecrets(parseConnInfo(text))).toBe(
    "host=a password=[REDACTED] sslpassword=[REDACTED] user=u",
  );
});
