import type { Clock } from "./clock.ts";

/** What a {@link Deadline} is made of. */
export interface DeadlineOptions {
  readonly clock: Clock;
  /** Milliseconds from now. */
  readonly ms: number;
  /** What was to be done by then; the reason of the abort says it. */
  readonly what: string;
  /** Aborts the deadline's signal too, with its own reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A signal that aborts with a `TimeoutError` after a time, or as soon as another signal does.
 * Disposing of it ends the timer and leaves no listener on the other signal.
 */
export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer = new AbortController();
  readonly #parent: AbortSignal | undefined;

  constructor({ clock, ms, what, signal }: DeadlineOptions) {
    this.#parent = signal;
    if (signal?.aborted === true) {
      this.#controller.abort(signal.reason);
      return;
    }
    signal?.addEventListener("abort", this.#follow);
    void this.#expire(clock, ms, what);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    this.#parent?.removeEventListener("abort", this.#follow);
    this.#timer.abort();
  }

  readonly #follow = (): void => {
    this.#timer.abort();
    this.#controller.abort(this.#parent?.reason);
  };

  async #expire(clock: Clock, ms: number, what: string): Promise<void> {
    await clock.sleep(ms, this.#timer.signal);
    if (this.#timer.signal.aborted) {
      return;
    }
    this.#controller.abort(new DOMException(`${what} took longer than ${ms} ms`, "TimeoutError"));
  }
}

/**
 * Settles as `promise` does, or rejects with the signal's reason as soon as that aborts; what
 * `promise` yields after that goes to `giveBack`, and its late failure to nobody.
 */
export async function untilAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  giveBack?: (late: T) => void,
): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  if (signal.aborted) {
    abort();
  } else {
    signal.addEventListener("abort", abort);
  }
  try {
    return await Promise.race([aborted.promise, promise]);
  } catch (error) {
    if (signal.aborted) {
      promise.then(giveBack, () => undefined);
    }
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Whether `error` is the reason of a signal that aborted for its deadline. */
export function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === "TimeoutError";
}
