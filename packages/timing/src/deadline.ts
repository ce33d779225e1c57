import type { Clock } from "./clock.ts";
import { onAbort } from "./on-abort.ts";

export interface DeadlineOptions {
  readonly clock: Clock;
  /** Milliseconds from now. */
  readonly ms: number;
  /** What has to be done by then, as the start of "… took longer than 100 ms". */
  readonly what: string;
  /** Aborts the deadline's signal too, with its own reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A signal that aborts with a `TimeoutError` after a time, or with the reason of another signal as
 * soon as that aborts. Dispose of it when the work has ended: that cancels the timer and takes the
 * listener off the other signal.
 */
export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #stopTimer: () => void;
  readonly #stopFollowing: () => void;

  constructor({ clock, ms, what, signal }: DeadlineOptions) {
    if (signal?.aborted === true) {
      this.#controller.abort(signal.reason);
      this.#stopTimer = () => undefined;
      this.#stopFollowing = () => undefined;
      return;
    }
    const timer = clock.setTimer(() => {
      const reason = new DOMException(`${what} took longer than ${ms} ms`, "TimeoutError");
      this.#controller.abort(reason);
    }, ms);
    this.#stopTimer = () => timer.cancel();
    this.#stopFollowing = onAbort(signal, (aborted) => {
      timer.cancel();
      this.#controller.abort(aborted.reason);
    });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    this.#stopTimer();
    this.#stopFollowing();
  }
}

/** Whether `error` is what a signal aborts with when its deadline passes. */
export function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === "TimeoutError";
}
