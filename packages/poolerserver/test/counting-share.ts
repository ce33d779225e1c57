import type { ConnectionShare, ConnectionSlot } from "@multipooler/controller-api";

/** A share that tests set the limit of. Listeners are called on their own turn of the event loop. */
export class CountingShare implements ConnectionShare {
  #limit: number;
  readonly #listeners = new Set<() => void>();
  used = 0;
  /** How often the server was said to be full. */
  fullCount = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get limit(): number {
    return this.#limit;
  }

  set limit(limit: number) {
    this.#limit = limit;
    this.#change();
  }

  /** Whether anyone listens for changes. */
  get isWatched(): boolean {
    return this.#listeners.size > 0;
  }

  tryTake(): ConnectionSlot | undefined {
    if (this.used >= this.#limit) {
      return undefined;
    }
    this.used += 1;
    let held = true;
    return {
      release: () => {
        if (held) {
          held = false;
          this.used -= 1;
          this.#change();
        }
      },
    };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  serverIsFull(): void {
    this.fullCount += 1;
    this.limit = this.used;
  }

  #change(): void {
    setImmediate(() => {
      for (const listener of this.#listeners) {
        listener();
      }
    });
  }
}
