const MAX_TEXTS = 1024;
/** Longer ones are not compared. */
const MAX_TEXT_LENGTH = 2048;

/** An offset basis and a prime for 32 bits, as in the hash of Fowler, Noll and Vo. */
const BASIS = 0x811c9dc5;
const PRIME = 0x01000193;
/** Stands for a whole number. */
const NUMBER = 0x30;

interface Known<Value> {
  readonly text: string;
  readonly value: Value;
}

/**
 * Finds a text that differs in its whole numbers only, without reading either as SQL: for statements
 * that an application puts together with other numbers each time.
 *
 * Digits that are a part of a word, of a parameter or of another kind of number have to be equal, so
 * that the two have the same tokens. Texts with a quoted name or a backslash are left out: there,
 * digits may mean more.
 */
export class SimilarTexts<Value> {
  readonly #known = new Map<number, Known<Value>>();

  get(text: string): Value | undefined {
    if (this.#known.size === 0 || text.length > MAX_TEXT_LENGTH) {
      return undefined;
    }
    const known = this.#known.get(hashOf(text));
    return known !== undefined && areSimilar(known.text, text) ? known.value : undefined;
  }

  set(text: string, value: Value): void {
    if (text.length > MAX_TEXT_LENGTH || text.includes("\\") || text.includes('"')) {
      return;
    }
    if (this.#known.size >= MAX_TEXTS) {
      this.#known.clear();
    }
    this.#known.set(hashOf(text), { text, value });
  }

  clear(): void {
    this.#known.clear();
  }
}

function hashOf(text: string): number {
  let hash = BASIS;
  let isInWord = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (!isInWord && isDigit(code)) {
      const end = numberEnd(text, at);
      if (end > at) {
        hash = Math.imul(hash ^ NUMBER, PRIME);
        at = end - 1;
        continue;
      }
    }
    hash = Math.imul(hash ^ code, PRIME);
    isInWord = isWord(code);
  }
  return hash;
}

function areSimilar(a: string, b: string): boolean {
  let inA = 0;
  let inB = 0;
  let isInWord = false;
  while (inA < a.length && inB < b.length) {
    const code = a.charCodeAt(inA);
    if (!isInWord && isDigit(code)) {
      const endA = numberEnd(a, inA);
      const endB = numberEnd(b, inB);
      if (endA > inA !== endB > inB) {
        return false;
      }
      if (endA > inA) {
        inA = endA;
        inB = endB;
        continue;
      }
    }
    if (code !== b.charCodeAt(inB)) {
      return false;
    }
    isInWord = isWord(code);
    inA += 1;
    inB += 1;
  }
  return inA === a.length && inB === b.length;
}

/** Where the whole number ends that begins at `start`; `start` itself if it is a part of something else. */
function numberEnd(text: string, start: number): number {
  let end = start;
  while (end < text.length && isDigit(text.charCodeAt(end))) {
    end += 1;
  }
  return end < text.length && isWord(text.charCodeAt(end)) ? start : end;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** What may belong to one token with a digit beside it. */
function isWord(code: number): boolean {
  return (
    isDigit(code) ||
    (code >= 0x61 && code <= 0x7a) ||
    (code >= 0x41 && code <= 0x5a) ||
    code === 0x5f ||
    code === 0x24 ||
    code === 0x2e ||
    code >= 0x80
  );
}
