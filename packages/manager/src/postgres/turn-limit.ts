import { untilAborted } from "@multipooler/timing";

/** Has at most so many do something at once; the others wait for their turn, in the order they came. */
export class TurnLimit {
  #free: number;
  readonly #waiting = new Set<() => void>();

  /** @param limit a whole number from 1 */
  constructor(limit: number) {
    this.#free = limit;
  }

  /** Resolves with the way to give the turn back, to be called once. Rejects when the signal aborts. */
  async take(signal: AbortSignal | undefined): Promise<() => void> {
    if (this.#free > 0) {
      this.#free -= 1;
    } else {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      try {
        await untilAborted(promise, signal, () => this.#pass());
      } catch (error) {
        this.#waiting.delete(resolve);
        throw error;
      }
    }
    return () => this.#pass();
  }

  #pass(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
    } else {
      this.#waiting.delete(next);
      next();
    }
  }
}
