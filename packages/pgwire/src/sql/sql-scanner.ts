import { beginsComment, skipBlanks, skipToContinuation } from "./blank.ts";
import {
  DIGIT,
  KEEPS_SIGN,
  OPERATOR,
  TAG_PART,
  UPPER,
  WORD_PART,
  WORD_START,
  classOf,
} from "./character-class.ts";
import { lowerWord, truncateName } from "./name.ts";
import { skipNumber } from "./number.ts";
import type { SqlText } from "./sql-text.ts";

/**
 * | kind       | is                                            | {@link SqlScanner.value}                        |
 * | ---------- | --------------------------------------------- | ----------------------------------------------- |
 * | word       | a key word or a name without quotes           | ASCII letters in lower case, at most 63 bytes    |
 * | identifier | a name in double quotes                       | at most 63 bytes; `undefined` for `U&"…"`        |
 * | string     | a constant in quotes or dollar quotes         | `undefined` if a backslash could mean something  |
 * | number     | a number without sign                         | as written                                       |
 * | parameter  | `$1`                                          | as written                                       |
 * | operator   | an operator as PostgreSQL delimits it         | as written                                       |
 * | symbol     | `::`, `:=`, `..` or one character of the rest  | as written                                       |
 */
export type SqlTokenKind =
  | "word"
  | "identifier"
  | "string"
  | "number"
  | "parameter"
  | "operator"
  | "symbol";

/** How the server reads a backslash in a plain string: standard_conforming_strings, inverted. */
export interface SqlDialect {
  readonly backslashEscapes: boolean;
}

const QUOTE = 0x27;
const DOUBLE_QUOTE = 0x22;
const BACKSLASH = 0x5c;
const DOLLAR = 0x24;
const AMPERSAND = 0x26;
const PLUS = 0x2b;
const MINUS = 0x2d;
const DOT = 0x2e;
const COLON = 0x3a;
const EQUALS = 0x3d;

/** How the characters between two quotes are read. */
type Reading = "plain" | "escapes" | "bits" | "name";

/**
 * Goes through a statement token by token, by the lexical rules of PostgreSQL. Looks at every
 * character a bounded number of times, whatever the text. What the server would refuse as a whole,
 * such as a string without an end, comes out in one way or another. Never throws.
 *
 * @see https://github.com/postgres/postgres/blob/REL_17_STABLE/src/backend/parser/scan.l
 */
export class SqlScanner {
  readonly #text: SqlText;
  readonly #backslashEscapes: boolean;
  #kind: SqlTokenKind = "symbol";
  #start = 0;
  #end = 0;
  /** Whether the current word has a letter to make lower. */
  #hasUpper = false;
  /** Up to here every sign is an operator of its own. */
  #looseSignsEnd = 0;
  /** What the quotes hold: all pieces but the last, which is a slice of the text. */
  #head = "";
  #tailStart = 0;
  #tailEnd = 0;
  /** Which quoted values are not told: none, those with a backslash, or this one in any case. */
  #hidden: "never" | "backslash" | "always" = "never";

  /** `text` as `toSqlText` makes it. */
  constructor(text: SqlText, { backslashEscapes }: SqlDialect) {
    this.#text = text;
    this.#backslashEscapes = backslashEscapes;
  }

  /** The kind of the current token. */
  get kind(): SqlTokenKind {
    return this.#kind;
  }

  /** Where the current token starts. */
  get start(): number {
    return this.#start;
  }

  /** Where the current token ends. */
  get end(): number {
    return this.#end;
  }

  /** Goes to the next token. False at the end of the text. */
  next(): boolean {
    const text = this.#text;
    const start = skipBlanks(text, this.#end);
    this.#start = start;
    this.#end = start;
    if (start >= text.length) {
      return false;
    }
    this.#end += 1;
    const code = text.charCodeAt(start);
    const bits = classOf(code);
    if ((bits & WORD_START) !== 0) {
      this.#word(code);
    } else if ((bits & DIGIT) !== 0) {
      this.#number();
    } else if ((bits & OPERATOR) !== 0) {
      this.#operator();
    } else {
      this.#other(code);
    }
    return true;
  }

  /** What the current token says. */
  value(): string | undefined {
    switch (this.#kind) {
      case "word":
        return this.#name();
      case "identifier": {
        const name = this.#unquoted();
        return name === undefined ? undefined : truncateName(name);
      }
      case "string":
        return this.#unquoted();
      case "number":
      case "parameter":
      case "operator":
      case "symbol":
        return this.#text.slice(this.#start, this.#end);
    }
  }

  #name(): string {
    const word = truncateName(this.#text.slice(this.#start, this.#end));
    return this.#hasUpper ? lowerWord(word) : word;
  }

  #unquoted(): string | undefined {
    if (this.#hidden === "always") {
      return undefined;
    }
    const value = this.#head + this.#text.slice(this.#tailStart, this.#tailEnd);
    return this.#hidden === "backslash" && value.includes("\\") ? undefined : value;
  }

  #word(code: number): void {
    const text = this.#text;
    if (this.#prefixed(code, text.charCodeAt(this.#end))) {
      return;
    }
    this.#kind = "word";
    let end = this.#end;
    let bits = classOf(code);
    let seen = 0;
    while ((bits & WORD_PART) !== 0) {
      seen |= bits;
      bits = classOf(text.charCodeAt(end));
      end += 1;
    }
    this.#end = end - 1;
    this.#hasUpper = (seen & UPPER) !== 0;
  }

  /** `E'…'`, `B'…'`, `X'…'`, `U&'…'` and `U&"…"`. */
  #prefixed(letter: number, following: number): boolean {
    const upper = letter & ~0x20;
    if (following === QUOTE && upper === 0x45) {
      this.#quoted(this.#start + 2, "escapes");
      return true;
    }
    if (following === QUOTE && (upper === 0x42 || upper === 0x58)) {
      this.#quoted(this.#start + 2, "bits");
      return true;
    }
    if (following !== AMPERSAND || upper !== 0x55) {
      return false;
    }
    const quote = this.#text.charCodeAt(this.#start + 2);
    if (quote !== QUOTE && quote !== DOUBLE_QUOTE) {
      return false;
    }
    this.#quoted(this.#start + 3, quote === QUOTE ? "plain" : "name");
    this.#hidden = "always";
    return true;
  }

  #number(): void {
    this.#kind = "number";
    this.#end = skipNumber(this.#text, this.#start);
  }

  /**
   * An operator ends before a comment. A + or - at its end belongs to it only if it has one of the
   * characters that no operator of SQL has.
   */
  #operator(): void {
    this.#kind = "operator";
    if (this.#start < this.#looseSignsEnd) {
      return;
    }
    const text = this.#text;
    let end = this.#start;
    let endWithoutSigns = end + 1;
    let keepsSigns = false;
    for (;;) {
      const code = text.charCodeAt(end);
      const bits = classOf(code);
      if ((bits & OPERATOR) === 0 || beginsComment(text, end, code)) {
        break;
      }
      keepsSigns ||= (bits & KEEPS_SIGN) !== 0;
      end += 1;
      if (code !== PLUS && code !== MINUS) {
        endWithoutSigns = end;
      }
    }
    this.#end = keepsSigns ? end : endWithoutSigns;
    this.#looseSignsEnd = end;
  }

  #other(code: number): void {
    const following = this.#text.charCodeAt(this.#end);
    const isBeforeDigit = (classOf(following) & DIGIT) !== 0;
    if (code === QUOTE) {
      this.#quoted(this.#end, this.#backslashEscapes ? "escapes" : "plain");
    } else if (code === DOUBLE_QUOTE) {
      this.#quoted(this.#end, "name");
    } else if (code === DOT && isBeforeDigit) {
      this.#number();
    } else if (code === DOLLAR && isBeforeDigit) {
      this.#parameter();
    } else if (code !== DOLLAR || !this.#dollarQuoted()) {
      this.#kind = "symbol";
      this.#end += isPair(code, following) ? 1 : 0;
    }
  }

  #parameter(): void {
    this.#kind = "parameter";
    while ((classOf(this.#text.charCodeAt(this.#end)) & DIGIT) !== 0) {
      this.#end += 1;
    }
  }

  /** A doubled quote stands for itself, but not among bits. A string can go on in a later line. */
  #quoted(from: number, reading: Reading): void {
    this.#kind = reading === "name" ? "identifier" : "string";
    this.#hidden = reading === "name" ? "never" : "backslash";
    this.#head = "";
    const quote = reading === "name" ? '"' : "'";
    const text = this.#text;
    let pieceStart = from;
    for (;;) {
      const pieceEnd = this.#pieceEnd(pieceStart, quote, reading);
      this.#end = Math.min(pieceEnd + 1, text.length);
      let next: number | undefined;
      let joint = "";
      if (reading !== "bits" && text.startsWith(quote, this.#end)) {
        next = this.#end + 1;
        joint = quote;
      } else if (reading !== "name") {
        next = skipToContinuation(text, this.#end);
      }
      if (next === undefined) {
        this.#tailStart = pieceStart;
        this.#tailEnd = pieceEnd;
        return;
      }
      this.#head += text.slice(pieceStart, pieceEnd) + joint;
      pieceStart = next;
    }
  }

  #pieceEnd(from: number, quote: string, reading: Reading): number {
    const text = this.#text;
    if (reading !== "escapes") {
      const end = text.indexOf(quote, from);
      return end < 0 ? text.length : end;
    }
    let at = from;
    for (; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) {
        return at;
      }
      at += code === BACKSLASH ? 1 : 0;
    }
    return text.length;
  }

  #dollarQuoted(): boolean {
    const text = this.#text;
    let tagEnd = this.#end;
    while ((classOf(text.charCodeAt(tagEnd)) & TAG_PART) !== 0) {
      tagEnd += 1;
    }
    if (text.charCodeAt(tagEnd) !== DOLLAR) {
      return false;
    }
    const delimiter = text.slice(this.#start, tagEnd + 1);
    this.#kind = "string";
    this.#hidden = "never";
    this.#head = "";
    this.#tailStart = tagEnd + 1;
    this.#tailEnd = findDelimiter(text, delimiter, tagEnd + 1);
    this.#end = Math.min(this.#tailEnd + delimiter.length, text.length);
    return true;
  }
}

function isPair(code: number, following: number): boolean {
  if (code === DOT) {
    return following === DOT;
  }
  return code === COLON && (following === COLON || following === EQUALS);
}

/** A tag has no dollar, so that each comparison ends at the next one at the latest. */
function findDelimiter(text: SqlText, delimiter: string, from: number): number {
  let at = text.indexOf("$", from);
  while (at >= 0 && !text.startsWith(delimiter, at)) {
    at = text.indexOf("$", at + 1);
  }
  return at < 0 ? text.length : at;
}
