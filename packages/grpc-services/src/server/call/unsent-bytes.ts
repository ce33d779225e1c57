/**
 * Counts what all calls of a server together have waiting for their clients. A call alone is
 * bounded by its {@link CallSink}, but not a thousand clients that each left a result unread: while
 * the sum is above the limit, their statements are held up instead of their results being kept.
 */
export class UnsentBytes {
  readonly #limitBytes: number;
  readonly #waiting = new Set<() => void>();
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Whether little more should be taken. */
  get isAboveLimit(): boolean {
    return this.#bytes > this.#limitBytes;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  remove(bytes: number): void {
    const wasAboveLimit = this.isAboveLimit;
    this.#bytes -= bytes;
    if (!wasAboveLimit || this.isAboveLimit) {
      return;
    }
    for (const wake of this.#waiting) {
      wake();
    }
  }

  /** Calls `wake` whenever the sum falls to the limit, until the returned function is called. */
  onRoom(wake: () => void): () => void {
    this.#waiting.add(wake);
    return () => void this.#waiting.delete(wake);
  }
}
