/** What a byte can be part of; bits, since a letter both begins and continues a word. */
export const SPACE = 1;
export const NEWLINE = 2;
export const WORD_START = 4;
export const WORD_PART = 8;
export const DIGIT = 16;
export const OPERATOR = 32;
/** May stand before a sign at the end of an operator: `@-` is one operator, `*-` is two. */
export const KEEPS_SIGN = 64;
/** May be part of the tag of a dollar quote. */
export const TAG_PART = 128;

/** A letter that PostgreSQL makes lower in a word. */
export const UPPER = 256;

const CLASSES = new Uint16Array(256);

function mark(characters: string, bits: number): void {
  for (const character of characters) {
    const code = character.charCodeAt(0);
    CLASSES[code] = (CLASSES[code] ?? 0) | bits;
  }
}

mark(" \t\n\r\f\v", SPACE);
mark("\n\r", NEWLINE);
mark("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", WORD_START | WORD_PART | TAG_PART);
CLASSES.fill(WORD_START | WORD_PART | TAG_PART, 128);
mark("0123456789", DIGIT | WORD_PART | TAG_PART);
mark("$", WORD_PART);
mark("ABCDEFGHIJKLMNOPQRSTUVWXYZ", UPPER);
mark("~!@#^&|`?+-*/%<>=", OPERATOR);
mark("~!@#^&|`?%", KEEPS_SIGN);

/** The bits of a character code; none for what no byte has, such as the NaN behind the end. */
export function classOf(code: number): number {
  return code < 256 ? (CLASSES[code] ?? 0) : 0;
}
