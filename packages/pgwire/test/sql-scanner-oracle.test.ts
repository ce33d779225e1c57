import fc from "fast-check";
import { loadModule, scanSync } from "libpg-query";
import { beforeAll, expect, test } from "vitest";
import { SqlScanner } from "../src/sql/sql-scanner.ts";
import type { SqlTokenKind } from "../src/sql/sql-scanner.ts";
import { toSqlText } from "../src/sql/sql-text.ts";

// PostgreSQL's own lexer, compiled to WebAssembly.
beforeAll(async () => {
  await loadModule();
});

interface Span {
  readonly start: number;
  readonly end: number;
  readonly kind: SqlTokenKind | "keyword or name" | "comment";
}

const KINDS: Readonly<Record<string, Span["kind"]>> = {
  SCONST: "string",
  ICONST: "number",
  FCONST: "number",
  PARAM: "parameter",
  SQL_COMMENT: "comment",
  C_COMMENT: "comment",
};

/** The tokens of PostgreSQL, or `undefined` if it refuses the text. */
function oracle(sql: string): Span[] | undefined {
  try {
    return scanSync(sql)
      .tokens.map(({ start, end, text, tokenName }) => ({
        start,
        end,
        kind: KINDS[tokenName] ?? kindOf(text),
      }))
      .filter(({ kind }) => kind !== "comment");
  } catch {
    return undefined;
  }
}

function kindOf(text: string): Span["kind"] {
  if (/^(?:u&)?"/i.test(text)) {
    return "identifier";
  }
  if (/^(?:[ebx]|u&)?'/i.test(text)) {
    return "string";
  }
  if (/^[a-z_\u0080-\uffff]/i.test(text)) {
    return "keyword or name";
  }
  return /^[~!@#^&|`?+\-*/%<>=]/.test(text) ? "operator" : "symbol";
}

function ours(sql: string): Span[] {
  const scanner = new SqlScanner(toSqlText(sql), { backslashEscapes: false });
  const spans: Span[] = [];
  while (scanner.next()) {
    const { kind, start, end } = scanner;
    spans.push({ kind: kind === "word" ? "keyword or name" : kind, start, end });
  }
  return spans;
}

/** The oracle tells the parts of a continued string one by one. */
function normalized(spans: readonly Span[], among: readonly Span[]): Span[] {
  const strings = among.filter(({ kind }) => kind === "string");
  return spans.flatMap((span): Span[] => {
    const whole = strings.find(({ start, end }) => start <= span.start && span.end <= end);
    if (whole !== undefined && span.kind === "string") {
      return whole.start === span.start ? [whole] : [];
    }
    return [span];
  });
}

const PIECES = [
  ..."'\"$;/*-+@\\\n\r\t eEuUxXbBnN&aq0179_.:<>=~!%^|?#`(,[ü".split(""),
  ..."-- /* */ $a$ $$ e' U&' U&\" 'a' \"a\" b'1' 1e5 0x1f 1_0 1.5 select $1 :: := .. ->> 'b'".split(
    " ",
  ),
  "'\n'",
  "' --c\n'",
];

test("delimits tokens as PostgreSQL's lexer does", () => {
  let compared = 0;
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...PIECES), { maxLength: 14 }), (pieces) => {
      const sql = pieces.join("");
      const expected = oracle(sql);
      if (expected === undefined) {
        return;
      }
      compared += 1;
      const found = ours(sql);
      expect(normalized(found, found)).toEqual(normalized(expected, found));
    }),
    { numRuns: 20_000 },
  );
  expect(compared).toBeGreaterThan(5000);
});
