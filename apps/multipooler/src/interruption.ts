/** Turns the first SIGINT or SIGTERM into an abort; a second one ends the process. */
export class Interruption implements Disposable {
  readonly #abort = new AbortController();

  constructor() {
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      process.once(name, this.#onSignal);
    }
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  [Symbol.dispose](): void {
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      process.off(name, this.#onSignal);
    }
  }

  readonly #onSignal = (): void => {
    this[Symbol.dispose]();
    this.#abort.abort();
  };
}
