import type { Clock, Timer } from "./clock.ts";

/**
 * A bound for something that takes a signal: aborts with a `TimeoutError` after `timeoutMs`, or
 * earlier together with the caller's signal. Dispose of it when the bounded work has ended.
 */
export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: Timer;
  readonly #parent: AbortSignal | undefined;
  readonly #onParentAbort = (): void => this.#controller.abort(this.#parent?.reason);

  constructor(options: {
    readonly clock: Clock;
    readonly timeoutMs: number;
    readonly signal?: AbortSignal | undefined;
  }) {
    this.#parent = options.signal;
    this.#timer = options.clock.setTimer(() => {
      const reason = `it took longer than ${options.timeoutMs} ms`;
      this.#controller.abort(new DOMException(reason, "TimeoutError"));
    }, options.timeoutMs);
    if (this.#parent?.aborted === true) {
      this.#onParentAbort();
    } else {
      this.#parent?.addEventListener("abort", this.#onParentAbort, { once: true });
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
    this.#parent?.removeEventListener("abort", this.#onParentAbort);
  }
}
