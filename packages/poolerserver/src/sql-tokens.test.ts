import fc from "fast-check";
import { expect, test } from "vitest";
import { dialectsOf, splitStatements } from "./sql-tokens.ts";
import type { SqlToken } from "./sql-tokens.ts";

const STANDARD = { backslashEscapes: false };
const ESCAPING = { backslashEscapes: true };

const word = (text: string): SqlToken => ({ kind: "word", text });
const symbol = (text: string): SqlToken => ({ kind: "symbol", text });
const string = (text: string | undefined): SqlToken => ({ kind: "string", text });
const identifier = (text: string | undefined): SqlToken => ({ kind: "identifier", text });

const CASES: readonly (readonly [sql: string, statements: readonly SqlToken[][]])[] = [
  ["", []],
  [" ;\t;\n-- nothing\n;/* here */", []],
  ["SELECT Größe", [[word("select"), word("größe")]]],
  ["a;b", [[word("a")], [word("b")]]],
  ["a$b$c", [[word("a$b$c")]]],
  [
    "f(1.5,$1)",
    [[word("f"), symbol("("), symbol("0"), symbol(","), symbol("$"), symbol("0"), symbol(")")]],
  ],
  ["1e5", [[symbol("0"), word("e5")]]],
  ["a--b\rc", [[word("a"), word("c")]]],
  ["a/* /* ; */ ; */b", [[word("a"), word("b")]]],
  ["a/* never ends ;", [[word("a")]]],
  ["+-/*x*/-", [[symbol("+"), symbol("-"), symbol("-")]]],
  ["'a;b' 'it''s'", [[string("a;b"), string("it's")]]],
  ["'a' \n 'b'", [[string("ab")]]],
  ["'a' -- c\n -- d\n 'b'", [[string("ab")]]],
  ["'a' /* c */ \n 'b'", [[string("a"), string("b")]]],
  ["'a' 'b'", [[string("a"), string("b")]]],
  ["'never ends ;", [[string("never ends ;")]]],
  ["e'a\\';b'", [[string(undefined)]]],
  ["E'a'\n'\\';b';c", [[string(undefined)], [word("c")]]],
  ["me'a\\';b", [[word("me"), string(undefined)], [word("b")]]],
  ["e 'a\\';b", [[word("e"), string(undefined)], [word("b")]]],
  ["b'1' X'F' n'z'", [[string("1"), string("F"), word("n"), string("z")]]],
  ["u&'\\';b", [[string(undefined)], [word("b")]]],
  [
    'U&"d\\0061t" u & u&',
    [[identifier(undefined), word("u"), symbol("&"), word("u"), symbol("&")]],
  ],
  ['"A;""b" "never ends ;', [[identifier('A;"b'), identifier("never ends ;")]]],
  ["$$a;'$$ $x$ $$ $x$ $x", [[string("a;'"), string(" $$ "), symbol("$"), word("x")]]],
  ["$x$never ends ;", [[string("never ends ;")]]],
];

test.each(CASES)("reads %j", (sql, statements) => {
  expect(splitStatements(sql, STANDARD)).toEqual(statements);
});

test("a backslash escapes a quote only in the dialect where it does", () => {
  const sql = "'a\\';b;'c";
  expect(splitStatements(sql, STANDARD)).toEqual([[string(undefined)], [word("b")], [string("c")]]);
  expect(splitStatements(sql, ESCAPING)).toEqual([[string(undefined), word("c")]]);
  expect(splitStatements("x'\\';b", ESCAPING)).toEqual([[string(undefined)], [word("b")]]);
});

test("both dialects count as soon as there is a backslash", () => {
  expect(dialectsOf("select 1")).toEqual([STANDARD]);
  expect(dialectsOf("select '\\'")).toEqual([STANDARD, ESCAPING]);
});

/** Pieces of SQL, each with the one token it is, or none. */
const piece = fc.oneof(
  fc.stringMatching(/^[a-z_][a-z0-9_]{1,8}$/).map((text) => ({ sql: text, token: word(text) })),
  fc.string().map((text) => {
    const value = text.replaceAll("\\", "");
    return { sql: `'${value.replaceAll("'", "''")}'`, token: string(value) };
  }),
  fc.string().map((value) => ({
    sql: `"${value.replaceAll('"', '""')}"`,
    token: identifier(value),
  })),
  fc.string().map((text) => {
    const value = text.replaceAll("$", "");
    return { sql: `$q$${value}$q$`, token: string(value) };
  }),
  fc.constantFrom("(", ",", ")", "=").map((text) => ({ sql: text, token: symbol(text) })),
  fc.string().map((text) => ({
    sql: `/*${text.replaceAll(/[*/]/g, "")}*/`,
    token: undefined,
  })),
  fc.string().map((text) => ({ sql: `--${text.replaceAll(/[\n\r]/g, "")}\n`, token: undefined })),
);

test("finds each statement and token again, whatever strings and comments hold", () => {
  fc.assert(
    fc.property(fc.array(fc.array(piece, { minLength: 1 })), (statements) => {
      // A comma keeps a string from continuing the one before it.
      const sql = statements.map((s) => s.map((p) => p.sql).join(" , ")).join("\n;");
      const expected = statements.map((s) =>
        s.flatMap(({ token }, index) => [
          ...(index === 0 ? [] : [symbol(",")]),
          ...(token === undefined ? [] : [token]),
        ]),
      );
      expect(splitStatements(sql, STANDARD)).toEqual(expected.filter((s) => s.length > 0));
    }),
  );
});

test("comes to an end on any text", () => {
  const text = fc.string({ unit: fc.constantFrom(..."'\"$;/*-\\\n eEuU&a1(".split("")) });
  fc.assert(
    fc.property(text, fc.boolean(), (sql, backslashEscapes) => {
      const tokens = splitStatements(sql, { backslashEscapes }).flat();
      expect(tokens.length).toBeLessThanOrEqual(sql.length);
    }),
  );
});
