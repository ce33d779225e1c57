import { abortError } from "./error.ts";
import type { MultiPoolerError } from "./error.ts";

/** One request that was admitted. It counts as running until it is disposed of. */
export class Admission implements Disposable {
  /** Whether the request may only read. */
  readonly isReadOnly: boolean;
  readonly #stop = new AbortController();
  readonly #callerSignal: AbortSignal | undefined;
  readonly #onEnd: (admission: Admission) => void;
  readonly #onCallerAbort = (): void => {
    if (this.#callerSignal !== undefined) {
      this.cut(abortError(this.#callerSignal));
    }
  };

  constructor(options: {
    readonly isReadOnly: boolean;
    readonly signal: AbortSignal | undefined;
    readonly onEnd: (admission: Admission) => void;
  }) {
    this.isReadOnly = options.isReadOnly;
    this.#callerSignal = options.signal;
    this.#onEnd = options.onEnd;
    this.#callerSignal?.addEventListener("abort", this.#onCallerAbort, { once: true });
  }

  /** Aborts when the request has to stop; the reason is the error that says why. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Stops the request. Only the first reason counts. */
  cut(reason: MultiPoolerError): void {
    this.#stop.abort(reason);
  }

  /** The request has ended and holds nothing any more. */
  [Symbol.dispose](): void {
    this.#callerSignal?.removeEventListener("abort", this.#onCallerAbort);
    this.#onEnd(this);
  }
}
