import type { Clock, Timer } from "@multipooler/timing";
import { abortError } from "./error.ts";
import type { MultiPoolerError } from "./error.ts";

interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: MultiPoolerError) => void;
}

/**
 * Callers that wait for a `T`, first come first served. Each leaves exactly once: served, refused,
 * aborted by its signal, or after the wait limit. None leaves a timer or a listener behind.
 */
export class WaitList<T> {
  readonly #clock: Clock;
  /** 0: no limit. */
  readonly #limitMs: number;
  readonly #waiters = new Set<Waiter<T>>();

  constructor(options: { readonly clock: Clock; readonly limitMs: number }) {
    this.#clock = options.clock;
    this.#limitMs = options.limitMs;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /**
   * Waits at the end of the list. The signal is not aborted yet; `limitError` says what is wrong
   * when the limit has passed.
   */
  enter(signal: AbortSignal | undefined, limitError: () => MultiPoolerError): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let timer: Timer | undefined;
    const onAbort = (): void => {
      if (signal !== undefined) {
        waiter.reject(abortError(signal));
      }
    };
    const leave = (): void => {
      this.#waiters.delete(waiter);
      timer?.cancel();
      signal?.removeEventListener("abort", onAbort);
    };
    const waiter: Waiter<T> = {
      resolve: (value) => {
        leave();
        resolve(value);
      },
      reject: (error) => {
        leave();
        reject(error);
      },
    };
    this.#waiters.add(waiter);
    signal?.addEventListener("abort", onAbort, { once: true });
    if (this.#limitMs > 0) {
      timer = this.#clock.setTimer(() => waiter.reject(limitError()), this.#limitMs);
    }
    return promise;
  }

  /** Serves the caller that waits longest. Only while somebody waits. */
  serve(value: T): void {
    const [first] = this.#waiters;
    first?.resolve(value);
  }

  /** Refuses `count` callers, leaving out the first `after`. */
  refuse(error: MultiPoolerError, after = 0, count: number = Number.POSITIVE_INFINITY): void {
    for (const waiter of [...this.#waiters].slice(after, after + count)) {
      waiter.reject(error);
    }
  }
}
