import type { SessionHold } from "./session-hold.ts";

export interface SessionDepartureOptions {
  readonly hold: SessionHold;
  /** Nothing is held any more. */
  readonly onGone: () => void;
}

/** The end of a session: gives back what it holds, once. */
export class SessionDeparture {
  readonly #options: SessionDepartureOptions;
  readonly #gone = Promise.withResolvers<void>();
  #isLeaving = false;

  constructor(options: SessionDepartureOptions) {
    this.#options = options;
  }

  /** Resolves when nothing is held. Never rejects. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** To be called when nothing of the session runs. Further calls do nothing. */
  begin(): void {
    if (this.#isLeaving) {
      return;
    }
    this.#isLeaving = true;
    const released = this.#options.hold.release();
    if (released === undefined) {
      this.#end();
    } else {
      void released.then(() => this.#end());
    }
  }

  #end(): void {
    this.#options.onGone();
    this.#gone.resolve();
  }
}
