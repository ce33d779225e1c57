/** Why the process stops. */
export type StopCause =
  | { readonly type: "signal"; readonly name: NodeJS.Signals }
  | { readonly type: "fault"; readonly message: string };

const STOP_SIGNALS = ["SIGINT", "SIGTERM"] as const satisfies readonly NodeJS.Signals[];

/**
 * Collects the reasons to stop. The first SIGINT or SIGTERM, or the first fault, resolves `requested`.
 * A second signal ends the process at once with a non-zero code.
 */
export class Termination implements Disposable {
  readonly #requested = Promise.withResolvers<StopCause>();
  readonly #forceExit: (message: string) => void;
  readonly #abort = new AbortController();
  #signalled = false;

  constructor(options: { readonly forceExit: (message: string) => void }) {
    this.#forceExit = options.forceExit;
    for (const name of STOP_SIGNALS) {
      process.on(name, this.#onSignal);
    }
  }

  /** Resolves with the first cause. */
  get requested(): Promise<StopCause> {
    return this.#requested.promise;
  }

  /** Aborts together with `requested`: interrupts a start that is still running. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Requests the stop because of a permanent fault; only the first cause counts. */
  fault(message: string): void {
    this.#settle({ type: "fault", message });
  }

  [Symbol.dispose](): void {
    for (const name of STOP_SIGNALS) {
      process.off(name, this.#onSignal);
    }
  }

  readonly #onSignal = (name: NodeJS.Signals): void => {
    if (this.#signalled) {
      this.#forceExit(`second signal (${name}): exit without waiting`);
      return;
    }
    this.#signalled = true;
    this.#settle({ type: "signal", name });
  };

  #settle(cause: StopCause): void {
    this.#requested.resolve(cause);
    this.#abort.abort(new DOMException("the process is stopping", "AbortError"));
  }
}
