/** How much a {@link TextCache} remembers. */
export interface TextCacheOptions {
  /** Texts. */
  readonly maxEntries: number;
  /** Their length all together. */
  readonly maxBytes: number;
  /** The length of one; longer ones are not remembered. */
  readonly maxTextBytes: number;
}

/**
 * Remembers what is known of statements by their text. When half of the room is used up, the texts that were not asked
 * for since the last time are forgotten.
 */
export class TextCache<Value> {
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #maxTextBytes: number;
  #recent = new Map<string, Value>();
  #older = new Map<string, Value>();
  #recentBytes = 0;

  constructor({ maxEntries, maxBytes, maxTextBytes }: TextCacheOptions) {
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
    this.#maxTextBytes = maxTextBytes;
  }

  /** Whether it would remember this text. */
  takes(text: string): boolean {
    return text.length <= this.#maxTextBytes;
  }

  get(text: string): Value | undefined {
    const recent = this.#recent.get(text);
    if (recent !== undefined) {
      return recent;
    }
    const older = this.#older.get(text);
    if (older !== undefined) {
      this.set(text, older);
    }
    return older;
  }

  set(text: string, value: Value): void {
    if (!this.takes(text)) {
      return;
    }
    const isFull =
      this.#recent.size + 1 > this.#maxEntries / 2 ||
      this.#recentBytes + text.length > this.#maxBytes / 2;
    if (isFull) {
      this.#older = this.#recent;
      this.#recent = new Map();
      this.#recentBytes = 0;
    }
    this.#recent.set(text, value);
    this.#recentBytes += text.length;
  }

  clear(): void {
    this.#recent.clear();
    this.#older.clear();
    this.#recentBytes = 0;
  }
}
