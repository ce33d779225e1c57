import { onAbort } from "@multipooler/timing";
import { abortError } from "../error.ts";
import type { MultiPoolerError } from "../error.ts";

interface Waiter {
  readonly proceed: () => void;
  readonly refuse: (error: MultiPoolerError) => void;
}

/** Lets the requests of one reservation run one after the other, in the order of their coming. */
export class Turns {
  readonly #waiting: Waiter[] = [];
  #isTaken = false;
  #closedFor: (() => MultiPoolerError) | undefined;

  get isTaken(): boolean {
    return this.#isTaken;
  }

  /**
   * Takes the turn: at once if nobody has it, else when the promise resolves, ahead of the others if
   * asked for. The promise rejects when the signal aborts or nobody gets a turn any more.
   */
  take(
    options: { signal?: AbortSignal | undefined; isNext?: boolean } = {},
  ): Promise<void> | undefined {
    if (this.#closedFor !== undefined) {
      return Promise.reject(this.#closedFor());
    }
    if (this.#isTaken) {
      return this.#wait(options);
    }
    this.#isTaken = true;
    return undefined;
  }

  /** Gives the turn to the next one, if there is one. */
  pass(): void {
    const next = this.#waiting.shift();
    if (next === undefined) {
      this.#isTaken = false;
    } else {
      next.proceed();
    }
  }

  /** Refuses those who wait, and everybody from now on. */
  close(error: () => MultiPoolerError): void {
    this.#closedFor = error;
    for (const { refuse } of this.#waiting.splice(0)) {
      refuse(error());
    }
  }

  async #wait({
    signal,
    isNext = false,
  }: {
    signal?: AbortSignal | undefined;
    isNext?: boolean;
  }): Promise<void> {
    if (signal?.aborted === true) {
      throw abortError(signal);
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { proceed: resolve, refuse: reject };
    if (isNext) {
      this.#waiting.unshift(waiter);
    } else {
      this.#waiting.push(waiter);
    }
    const stopListening = onAbort(signal, (aborted) => {
      const index = this.#waiting.indexOf(waiter);
      if (index !== -1) {
        this.#waiting.splice(index, 1);
        reject(abortError(aborted));
      }
    });
    try {
      await promise;
    } finally {
      stopListening();
    }
  }
}
