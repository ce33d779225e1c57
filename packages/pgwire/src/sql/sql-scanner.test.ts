import fc from "fast-check";
import { expect, test } from "vitest";
import { SqlScanner } from "./sql-scanner.ts";
import type { SqlDialect } from "./sql-scanner.ts";
import { toSqlText } from "./sql-text.ts";
import type { SqlText } from "./sql-text.ts";

const STANDARD = { backslashEscapes: false };
const ESCAPING = { backslashEscapes: true };

type Token = readonly [kind: string, value: string | undefined];

function scan(text: SqlText, dialect: SqlDialect): Token[] {
  const scanner = new SqlScanner(text, dialect);
  const tokens: Token[] = [];
  while (scanner.next()) {
    tokens.push([scanner.kind, scanner.value()]);
  }
  return tokens;
}

function tokensOf(sql: string, dialect: SqlDialect = STANDARD): Token[] {
  return scan(toSqlText(sql), dialect);
}

const word = (text: string): Token => ["word", toSqlText(text)];
const identifier = (text: string | undefined): Token => ["identifier", text];
const string = (text: string | undefined): Token => ["string", text];
const number = (text: string): Token => ["number", text];
const parameter = (text: string): Token => ["parameter", text];
const operator = (text: string): Token => ["operator", text];
const symbol = (text: string): Token => ["symbol", text];

const CASES: readonly (readonly [sql: string, tokens: readonly Token[]])[] = [
  ["", []],
  [" \t\n\r\f\v-- nothing\n/* here */", []],
  ["SELECT Größe _a1$b", [word("select"), word("größe"), word("_a1$b")]],
  ["a;b", [word("a"), symbol(";"), word("b")]],
  [`${"A".repeat(62)}öb`, [word("a".repeat(62))]],
  [`"${"A".repeat(70)}"`, [identifier("A".repeat(63))]],
  [
    "f(1.5,$12)",
    [word("f"), symbol("("), number("1.5"), symbol(","), parameter("$12"), symbol(")")],
  ],
  [
    "1e5 1e 1.e-5 .5 1..2",
    [
      number("1e5"),
      number("1"),
      word("e"),
      number("1.e-5"),
      number(".5"),
      number("1"),
      symbol(".."),
      number("2"),
    ],
  ],
  [
    "1_000 1__0 0xFf_f 0o17 0b01 0b2 0x",
    [
      number("1_000"),
      number("1"),
      word("__0"),
      number("0xFf_f"),
      number("0o17"),
      number("0b01"),
      number("0"),
      word("b2"),
      number("0"),
      word("x"),
    ],
  ],
  ["1from", [number("1"), word("from")]],
  ["0b'1'", [number("0"), string("1")]],
  ["a--b\rc", [word("a"), word("c")]],
  ["a/* /* ; */ ; */b", [word("a"), word("b")]],
  ["a/* never ends ;", [word("a")]],
  ["+-/*x*/-", [operator("+"), operator("-"), operator("-")]],
  [
    "a<>b@-1*-1->>'x'",
    [
      word("a"),
      operator("<>"),
      word("b"),
      operator("@-"),
      number("1"),
      operator("*"),
      operator("-"),
      number("1"),
      operator("->>"),
      string("x"),
    ],
  ],
  ["===--x", [operator("===")]],
  ["*-+- =/*", [operator("*"), operator("-"), operator("+"), operator("-"), operator("=")]],
  [
    "a::b:=c:d",
    [word("a"), symbol("::"), word("b"), symbol(":="), word("c"), symbol(":"), word("d")],
  ],
  ["'a;b' 'it''s'", [string("a;b"), string("it's")]],
  ["'a' \n 'b'", [string("ab")]],
  ["'a' -- c\n -- d\n 'b'", [string("ab")]],
  ["'a' /* c */ \n 'b'", [string("a"), string("b")]],
  ["'a' 'b'", [string("a"), string("b")]],
  ["'never ends ;", [string("never ends ;")]],
  ["e'a\\';b'", [string(undefined)]],
  ["e'a' ", [string("a")]],
  ["E'a'\n'\\';b';c", [string(undefined), symbol(";"), word("c")]],
  ["me'a\\';b", [word("me"), string(undefined), symbol(";"), word("b")]],
  ["b'1''0' X'F' n'z'", [string("1"), string("0"), string("F"), word("n"), string("z")]],
  ["u&'\\';b", [string(undefined), symbol(";"), word("b")]],
  [
    'U&"d\\0061t" u&u &',
    [identifier(undefined), word("u"), operator("&"), word("u"), operator("&")],
  ],
  ['"A;""b" "never ends ;', [identifier('A;"b'), identifier("never ends ;")]],
  ['"a"\n"b"', [identifier("a"), identifier("b")]],
  ["$$a;'$$ $x$ $$ $x$ $x", [string("a;'"), string(" $$ "), symbol("$"), word("x")]],
  ["$x$never ends ;", [string("never ends ;")]],
  ["$$\\$$", [string("\\")]],
  ["a$$b$$", [word("a$$b$$")]],
];

test.each(CASES)("reads %j", (sql, tokens) => {
  expect(tokensOf(sql)).toEqual(tokens);
});

test("a backslash escapes a quote only in the dialect where it does", () => {
  const sql = "'a\\';b;'c";
  expect(tokensOf(sql)).toEqual([
    string(undefined),
    symbol(";"),
    word("b"),
    symbol(";"),
    string("c"),
  ]);
  expect(tokensOf(sql, ESCAPING)).toEqual([string(undefined), word("c")]);
  expect(tokensOf("x'\\';b", ESCAPING)).toEqual([string(undefined), symbol(";"), word("b")]);
});

test("bytes and text give the same tokens", () => {
  const sql = "select 'ä' as \"ß\", ü";
  expect(toSqlText(Buffer.from(`-${sql}`).subarray(1))).toBe(toSqlText(sql));
  expect(tokensOf(sql)).toContainEqual(string(toSqlText("ä")));
});

/** Pieces of SQL, each with the one token it is, or none. */
const piece = fc.oneof(
  fc.stringMatching(/^[a-z_][a-z0-9_]{1,8}$/).map((text) => ({ sql: text, token: word(text) })),
  fc.string().map((text) => {
    const value = text.replaceAll("\\", "");
    return { sql: `'${value.replaceAll("'", "''")}'`, token: string(value) };
  }),
  fc
    .string({ maxLength: 60 })
    .map((value) => ({ sql: `"${value.replaceAll('"', '""')}"`, token: identifier(value) })),
  fc.string().map((text) => {
    const value = text.replaceAll("$", "");
    return { sql: `$q$${value}$q$`, token: string(value) };
  }),
  fc.constantFrom("(", ")", "[").map((text) => ({ sql: text, token: symbol(text) })),
  fc.string().map((text) => ({ sql: `/*${text.replaceAll(/[*/]/g, "")}*/`, token: undefined })),
  fc.string().map((text) => ({ sql: `--${text.replaceAll(/[\n\r]/g, "")}\n`, token: undefined })),
);

test("finds each token again, whatever strings and comments hold", () => {
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      // A comma keeps a string from continuing the one before it.
      const sql = pieces.map((p) => p.sql).join(" , ");
      const expected = pieces.flatMap(({ token }, index) => [
        ...(index === 0 ? [] : [symbol(",")]),
        ...(token === undefined ? [] : [token]),
      ]);
      expect(tokensOf(sql)).toEqual(expected);
    }),
  );
});

/** A text at which a scanner may look so many times. */
class RationedText implements SqlText {
  readonly #text: string;
  #looksLeft: number;

  constructor(text: string, looks: number) {
    this.#text = text;
    this.#looksLeft = looks;
  }

  get length(): number {
    return this.#text.length;
  }

  charCodeAt(index: number): number {
    this.#look(1);
    return this.#text.charCodeAt(index);
  }

  indexOf(search: string, from: number): number {
    const found = this.#text.indexOf(search, from);
    this.#look((found < 0 ? this.length : found) - from + 1);
    return found;
  }

  startsWith(search: string, from: number): boolean {
    for (let at = 0; at < search.length; at += 1) {
      this.#look(1);
      if (this.#text[from + at] !== search[at]) {
        return false;
      }
    }
    return true;
  }

  slice(start: number, end: number): string {
    this.#look(end - start);
    return this.#text.slice(start, end);
  }

  #look(times: number): void {
    this.#looksLeft -= times;
    if (this.#looksLeft < 0) {
      throw new Error("looked at the text too many times");
    }
  }
}

/** Looking and copying together. The texts below would need thousands, were it not for a rule each. */
const MAX_LOOKS_A_CHARACTER = 12;

function expectLinear(sql: string): void {
  for (const dialect of [STANDARD, ESCAPING]) {
    const text = new RationedText(sql, MAX_LOOKS_A_CHARACTER * (sql.length + 1));
    expect(() => scan(text, dialect)).not.toThrow();
  }
}

const NASTY = "'\"$;/*-+@\\\n\t eEuUxX&aq019_.:<".split("");

test.each([
  `select 'a' ${"-".repeat(60)}\n, 1`,
  `select 'a' ${"-".repeat(50_000)}\n, 1`,
  `select 'a'${" --\n".repeat(20_000)}, 1`,
  `select 'a'${"\n --".repeat(20_000)}`,
  "'a'\n".repeat(20_000),
  "'a' ".repeat(20_000),
  "''".repeat(20_000),
  "+".repeat(50_000),
  "+-".repeat(50_000),
  `${"+-".repeat(20_000)}*${"-+".repeat(20_000)}`,
  "/*".repeat(50_000),
  "*/".repeat(50_000),
  "/".repeat(50_000),
  `$${"a".repeat(20_000)}`,
  `$a$${"$b".repeat(20_000)}`,
  `$${"a".repeat(200)}$${`$${"a".repeat(199)}`.repeat(200)}`,
  `${"$a".repeat(20_000)}$`,
  `$${"a".repeat(1000)}$${"$".repeat(1000)}`,
  `$${"a".repeat(1000)}$${"$a".repeat(1000)}`,
  "$$".repeat(20_001),
  "1.".repeat(20_000),
  "1_".repeat(20_000),
  "1e+".repeat(20_000),
  "0x".repeat(20_000),
  "\\".repeat(50_001),
  `e'${"\\".repeat(50_001)}`,
  'U&"'.repeat(20_001),
])("looks at each character a bounded number of times, case %#", (sql) => {
  expectLinear(sql);
});

test("looks at each character a bounded number of times in any text", () => {
  const pieces = fc.array(fc.constantFrom(...NASTY, "--", "/*", "*/", "$a$", "'a'\n", "e'"), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(pieces, pieces, fc.integer({ min: 1, max: 500 }), (head, body, times) => {
      expectLinear(head.join("") + body.join("").repeat(times));
    }),
    { numRuns: 500 },
  );
});

test("goes forward on any text and covers it", () => {
  const text = fc.string({ unit: fc.constantFrom(...NASTY) });
  fc.assert(
    fc.property(text, fc.boolean(), (sql, backslashEscapes) => {
      const scanner = new SqlScanner(sql, { backslashEscapes });
      let before = 0;
      while (scanner.next()) {
        expect(scanner.start).toBeGreaterThanOrEqual(before);
        expect(scanner.end).toBeGreaterThan(scanner.start);
        before = scanner.end;
      }
      expect(scanner.end).toBe(sql.length);
    }),
    { numRuns: 1000 },
  );
});
