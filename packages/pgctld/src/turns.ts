import { untilAborted } from "@multipooler/timing";
import { throwIfAborted } from "./error.ts";

/** Runs one action at a time, in the order in which they came. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Rejects with CANCELLED when the signal aborts before it is the action's turn. */
  async run<T>(action: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const before = this.#last;
    const { promise: done, resolve } = Promise.withResolvers<void>();
    this.#last = before.then(() => done);
    try {
      await untilAborted(before, signal).catch(() => throwIfAborted(signal, "the wait for a turn"));
      return await action();
    } finally {
      resolve();
    }
  }
}
