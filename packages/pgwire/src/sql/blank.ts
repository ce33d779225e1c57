import { NEWLINE, SPACE, classOf } from "./character-class.ts";
import type { SqlText } from "./sql-text.ts";

const MINUS = 0x2d;
const SLASH = 0x2f;
const STAR = 0x2a;

/** Whether a comment begins at `at`, where the character `code` stands. */
export function beginsComment(text: SqlText, at: number, code: number): boolean {
  const following = code === MINUS || code === SLASH ? text.charCodeAt(at + 1) : 0;
  return code === MINUS ? following === MINUS : following === STAR;
}

/** The end of the white space and the comments at `from`. */
export function skipBlanks(text: SqlText, from: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if ((classOf(code) & SPACE) !== 0) {
      at += 1;
    } else if (!beginsComment(text, at, code)) {
      return at;
    } else {
      at = code === MINUS ? skipLineComment(text, at) : skipBlockComment(text, at);
    }
  }
}

/**
 * Where a string constant goes on whose quote was closed before `from`: behind a quote that only
 * white space with a line break separates, line comments included. Block comments do not count.
 */
export function skipToContinuation(text: SqlText, from: number): number | undefined {
  let at = from;
  let hasNewline = false;
  for (;;) {
    const code = text.charCodeAt(at);
    const bits = classOf(code);
    if ((bits & SPACE) !== 0) {
      hasNewline ||= (bits & NEWLINE) !== 0;
      at += 1;
    } else if (code === MINUS && beginsComment(text, at, code)) {
      at = skipLineComment(text, at);
    } else {
      return hasNewline && text.startsWith("'", at) ? at + 1 : undefined;
    }
  }
}

function skipLineComment(text: SqlText, from: number): number {
  let at = from;
  while (at < text.length && (classOf(text.charCodeAt(at)) & NEWLINE) === 0) {
    at += 1;
  }
  return at;
}

/** Block comments nest. */
function skipBlockComment(text: SqlText, from: number): number {
  let depth = 1;
  let at = from + 2;
  while (depth > 0 && at < text.length) {
    const code = text.charCodeAt(at);
    const following = code === SLASH || code === STAR ? text.charCodeAt(at + 1) : 0;
    if (code === SLASH && following === STAR) {
      depth += 1;
      at += 2;
    } else if (code === STAR && following === SLASH) {
      depth -= 1;
      at += 2;
    } else {
      at += 1;
    }
  }
  return at;
}
