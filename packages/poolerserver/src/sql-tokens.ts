/**
 * A piece of SQL as far as it matters for judging a statement by its words.
 *
 * | kind       | text                                                              |
 * | ---------- | ----------------------------------------------------------------- |
 * | word       | a key word or a name without quotes, ASCII letters in lower case  |
 * | identifier | what a quoted name says; `undefined` if it has Unicode escapes    |
 * | string     | what a constant says; `undefined` if it may have escapes          |
 * | symbol     | one character of everything else; "0" for a number                |
 */
export type SqlToken =
  | { readonly kind: "word" | "symbol"; readonly text: string }
  | { readonly kind: "identifier" | "string"; readonly text: string | undefined };

/** How a server reads a backslash in a plain string: its setting standard_conforming_strings. */
export interface SqlDialect {
  readonly backslashEscapes: boolean;
}

/** A string that continues: white space with a line break, comments included, then a quote. */
const CONTINUATION = /(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*[\n\r])*'/y;
const LINE_COMMENT = /--[^\n\r]*/y;
const COMMENT_EDGE = /\/\*|\*\//g;
const NUMBER = /[0-9][0-9.]*/y;
const DOLLAR_QUOTE = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y;
const PLAIN_STRING_PIECE = /[^']*/y;
const ESCAPED_STRING_PIECE = /(?:[^'\\]|\\[^])*/y;
const IDENTIFIER_PIECE = /[^"]*/y;

/**
 * The statements of a query string, each as its tokens; empty ones are left out. What the server
 * would refuse as a whole, such as a string without an end, comes out in one way or another.
 *
 * @see https://github.com/postgres/postgres/blob/REL_17_STABLE/src/backend/parser/scan.l
 */
export function splitStatements(sql: string, dialect: SqlDialect): SqlToken[][] {
  const scanner = new Scanner(sql, dialect);
  const statements: SqlToken[][] = [];
  let statement: SqlToken[] = [];
  for (;;) {
    const token = scanner.next();
    const isSeparator = token?.kind === "symbol" && token.text === ";";
    if (token !== undefined && !isSeparator) {
      statement.push(token);
      continue;
    }
    if (statement.length > 0) {
      statements.push(statement);
    }
    if (token === undefined) {
      return statements;
    }
    statement = [];
  }
}

/** The dialects that can make a difference for `sql`. */
export function dialectsOf(sql: string): readonly SqlDialect[] {
  return sql.includes("\\") ? BOTH_DIALECTS : STANDARD_DIALECT;
}

const UPPER = /[A-Z]/;
const ZERO: SqlToken = { kind: "symbol", text: "0" };

const STANDARD_DIALECT: readonly SqlDialect[] = [{ backslashEscapes: false }];
const BOTH_DIALECTS: readonly SqlDialect[] = [
  { backslashEscapes: false },
  { backslashEscapes: true },
];

class Scanner {
  readonly #sql: string;
  readonly #dialect: SqlDialect;
  #at = 0;

  constructor(sql: string, dialect: SqlDialect) {
    this.#sql = sql;
    this.#dialect = dialect;
  }

  next(): SqlToken | undefined {
    this.#skipBlanks();
    const char = this.#sql[this.#at];
    if (char === undefined) {
      return undefined;
    }
    if (isWordStart(char.charCodeAt(0))) {
      return this.#word();
    }
    if (char === "'") {
      return this.#string(1, this.#dialect.backslashEscapes);
    }
    if (char === '"') {
      return { kind: "identifier", text: this.#quoted(1, IDENTIFIER_PIECE, '"') };
    }
    if (char === "$") {
      return this.#dollarQuoted() ?? this.#symbol(char);
    }
    return this.#take(NUMBER) === undefined ? this.#symbol(char) : ZERO;
  }

  #skipBlanks(): void {
    for (;;) {
      switch (this.#sql[this.#at]) {
        case " ":
        case "\t":
        case "\n":
        case "\r":
        case "\f":
        case "\v":
          this.#at += 1;
          break;
        case "-":
          if (this.#take(LINE_COMMENT) === undefined) {
            return;
          }
          break;
        case "/":
          if (!this.#sql.startsWith("/*", this.#at)) {
            return;
          }
          this.#skipBlockComment();
          break;
        default:
          return;
      }
    }
  }

  /** Block comments nest. */
  #skipBlockComment(): void {
    COMMENT_EDGE.lastIndex = this.#at;
    let depth = 0;
    do {
      const edge = COMMENT_EDGE.exec(this.#sql);
      if (edge === null) {
        this.#at = this.#sql.length;
        return;
      }
      depth += edge[0] === "/*" ? 1 : -1;
    } while (depth > 0);
    this.#at = COMMENT_EDGE.lastIndex;
  }

  #word(): SqlToken {
    const start = this.#at;
    do {
      this.#at += 1;
    } while (isWordPart(this.#sql.charCodeAt(this.#at)));
    const word = this.#sql.slice(start, this.#at);
    return this.#prefixed(word) ?? { kind: "word", text: asciiLower(word) };
  }

  /** The string or name that begins with the letter `prefix`, if one does. */
  #prefixed(prefix: string): SqlToken | undefined {
    if (prefix.length > 1) {
      return undefined;
    }
    const first = this.#sql[this.#at];
    const second = this.#sql[this.#at + 1];
    switch (prefix) {
      case "e":
      case "E":
        return first === "'" ? this.#string(1, true) : undefined;
      case "b":
      case "B":
      case "x":
      case "X":
        return first === "'" ? this.#string(1, false) : undefined;
      case "u":
      case "U":
        if (first !== "&") {
          return undefined;
        }
        if (second === "'") {
          this.#quoted(2, PLAIN_STRING_PIECE, "'", CONTINUATION);
        } else if (second === '"') {
          this.#quoted(2, IDENTIFIER_PIECE, '"');
        } else {
          return undefined;
        }
        return { kind: second === "'" ? "string" : "identifier", text: undefined };
      default:
        return undefined;
    }
  }

  #string(quoteLength: number, escapes: boolean): SqlToken {
    const piece = escapes ? ESCAPED_STRING_PIECE : PLAIN_STRING_PIECE;
    const text = this.#quoted(quoteLength, piece, "'", CONTINUATION);
    return { kind: "string", text: text.includes("\\") ? undefined : text };
  }

  /** What stands between quotes; a doubled quote stands for itself. */
  #quoted(quoteLength: number, piece: RegExp, quote: string, continuation?: RegExp): string {
    this.#at += quoteLength;
    let text = "";
    for (;;) {
      text += this.#take(piece) ?? "";
      // At the closing quote, or at the end of an unfinished string.
      this.#at += 1;
      if (this.#sql[this.#at] === quote) {
        text += quote;
        this.#at += 1;
      } else if (continuation === undefined || this.#take(continuation) === undefined) {
        return text;
      }
    }
  }

  #dollarQuoted(): SqlToken | undefined {
    const delimiter = this.#take(DOLLAR_QUOTE);
    if (delimiter === undefined) {
      return undefined;
    }
    const end = this.#sql.indexOf(delimiter, this.#at);
    const text = this.#sql.slice(this.#at, end < 0 ? undefined : end);
    this.#at += text.length + delimiter.length;
    return { kind: "string", text };
  }

  #symbol(text: string): SqlToken {
    this.#at += 1;
    return { kind: "symbol", text };
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#sql)?.[0];
    if (found === undefined || found === "") {
      return undefined;
    }
    this.#at += found.length;
    return found;
  }
}

function isWordStart(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95 || code >= 128;
}

/** False for the NaN behind the end. */
function isWordPart(code: number): boolean {
  return isWordStart(code) || (code >= 48 && code <= 57) || code === 36;
}

function asciiLower(word: string): string {
  if (!UPPER.test(word)) {
    return word;
  }
  return word.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
