import { DIGIT, classOf } from "./character-class.ts";
import type { SqlText } from "./sql-text.ts";

const DOT = 0x2e;
const UNDERSCORE = 0x5f;
const ZERO = 0x30;

/**
 * The end of the number that begins at `from` with a digit, or with a point before one. Letters behind
 * a number are a word of their own, as before PostgreSQL 15; later versions refuse them.
 */
export function skipNumber(text: SqlText, from: number): number {
  const base = text.charCodeAt(from) === ZERO ? baseOf(text.charCodeAt(from + 1)) : 10;
  const basedEnd = base === 10 ? from : skipDigits(text, from + 2, base);
  if (basedEnd > from + 2) {
    return basedEnd;
  }
  let at = skipDigits(text, from, 10);
  // Two points are a token of their own.
  if (text.charCodeAt(at) === DOT && text.charCodeAt(at + 1) !== DOT) {
    at = skipDigits(text, at + 1, 10);
  }
  return skipExponent(text, at);
}

function baseOf(letter: number): number {
  switch (letter) {
    case 0x58:
    case 0x78:
      return 16;
    case 0x4f:
    case 0x6f:
      return 8;
    case 0x42:
    case 0x62:
      return 2;
    default:
      return 10;
  }
}

/** Between digits may stand one underscore each. */
function skipDigits(text: SqlText, from: number, base: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    const digitAt = code === UNDERSCORE ? at + 1 : at;
    if (!isDigit(text.charCodeAt(digitAt), base)) {
      return at;
    }
    at = digitAt + 1;
  }
}

function skipExponent(text: SqlText, from: number): number {
  const letter = text.charCodeAt(from);
  if (letter !== 0x45 && letter !== 0x65) {
    return from;
  }
  const sign = text.charCodeAt(from + 1);
  const digitsAt = sign === 0x2b || sign === 0x2d ? from + 2 : from + 1;
  return isDigit(text.charCodeAt(digitsAt), 10) ? skipDigits(text, digitsAt, 10) : from;
}

function isDigit(code: number, base: number): boolean {
  if ((classOf(code) & DIGIT) !== 0) {
    return code - ZERO < base;
  }
  return base === 16 && ((code >= 0x41 && code <= 0x46) || (code >= 0x61 && code <= 0x66));
}
