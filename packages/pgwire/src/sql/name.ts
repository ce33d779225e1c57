/** The longest name that PostgreSQL keeps: NAMEDATALEN less its terminator. */
const MAX_NAME_BYTES = 63;

/** What PostgreSQL makes of a word: ASCII letters in lower case, and no more than a name can hold. */
export function wordValue(word: string): string {
  return truncateName(UPPER.test(word) ? word.replaceAll(UPPERS, lower) : word);
}

const UPPER = /[A-Z]/;
const UPPERS = /[A-Z]+/g;

function lower(letters: string): string {
  return letters.toLowerCase();
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
