/** The longest name that PostgreSQL keeps: NAMEDATALEN less its terminator. */
const MAX_NAME_BYTES = 63;

const UPPER_LETTERS = /[A-Z]+/g;

/** A word with its ASCII letters in lower case. What stands for bytes of other characters stays. */
export function lowerWord(word: string): string {
  return word.replaceAll(UPPER_LETTERS, (letters) => letters.toLowerCase());
}

/** A name as PostgreSQL shortens it, one character a byte; a character of UTF-8 is not cut. */
export function truncateName(name: string): string {
  if (name.length <= MAX_NAME_BYTES) {
    return name;
  }
  let end = MAX_NAME_BYTES;
  while (end > 0 && isContinuationByte(name.charCodeAt(end))) {
    end -= 1;
  }
  return name.slice(0, end);
}

function isContinuationByte(code: number): boolean {
  return code >= 0x80 && code < 0xc0;
}
