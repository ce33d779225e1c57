import { ConnInfoSyntaxError } from "./conn-info.ts";
import type { ConnInfo } from "./conn-info.ts";
import { parseConnInfoUri } from "./conn-info-uri.ts";

/**
 * Reads a connection string as libpq does: `keyword = value` pairs, values in single quotes or not,
 * with backslashes, or a URI. A keyword that is there twice has its last value.
 *
 * @throws ConnInfoSyntaxError, whose message holds no value
 */
export function parseConnInfo(text: string): ConnInfo {
  return /^postgres(?:ql)?:\/\//.test(text) ? parseConnInfoUri(text) : parsePairs(text);
}

/** The blanks are those of `isspace` in C. */
const PAIR =
  /[ \t\n\v\f\r]*([^= \t\n\v\f\r]+)[ \t\n\v\f\r]*=[ \t\n\v\f\r]*(?:'((?:[^'\\]|\\[\s\S])*)'|((?:[^'\\ \t\n\v\f\r]|\\[\s\S])(?:[^\\ \t\n\v\f\r]|\\(?:[\s\S]|$))*)?)/y;

function parsePairs(text: string): ConnInfo {
  const info = new Map<string, string>();
  const pair = new RegExp(PAIR);
  const end = text.trimEnd().length;
  while (pair.lastIndex < end) {
    const at = pair.lastIndex;
    const [, keyword, quoted, plain] = pair.exec(text) ?? [];
    if (keyword === undefined) {
      throw new ConnInfoSyntaxError(`a keyword without "=" at character ${at + 1}`);
    }
    if (quoted === undefined && plain === undefined && text[pair.lastIndex] === "'") {
      throw new ConnInfoSyntaxError(`the value of "${keyword}" has no closing quote`);
    }
    info.set(keyword, (quoted ?? plain ?? "").replaceAll(/\\([\s\S]?)/g, "$1"));
  }
  return info;
}
