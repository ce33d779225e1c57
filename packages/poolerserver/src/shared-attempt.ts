import { untilAborted } from "./abort.ts";

/**
 * Work that several callers wait for together. A caller whose signal aborts leaves; when the last
 * one has left the work is aborted, and that caller waits for its end, so that nothing goes on
 * behind the back of those who gave up.
 */
export class SharedAttempt {
  readonly #controller = new AbortController();
  readonly #ended: Promise<void>;
  #callers = 0;

  constructor(work: (signal: AbortSignal) => Promise<void>) {
    this.#ended = work(this.#controller.signal);
    // Those who wait are told; without anyone the failure is nobody's.
    this.#ended.catch(() => undefined);
  }

  /** True once nobody waits any more: joining it would only fail. */
  get isAbandoned(): boolean {
    return this.#controller.signal.aborted;
  }

  /** Resolves when the work has ended, in whichever way. */
  async settled(): Promise<void> {
    await this.#ended.catch(() => undefined);
  }

  /** Waits for the work as one of its callers. */
  async join(signal: AbortSignal | undefined): Promise<void> {
    this.#callers += 1;
    try {
      await untilAborted(this.#ended, signal);
    } catch (error) {
      if (this.#callers > 1) {
        throw error;
      }
      this.#controller.abort(signal?.reason);
      await this.#ended;
    } finally {
      this.#callers -= 1;
    }
  }
}
