import type { MultiPoolerError } from "../error.ts";
import type { Logger } from "../logger.ts";

/** Sent by a server that shuts down, or starts. */
const CANNOT_CONNECT_NOW = "57P03";

/** What the dials of a pool have shown of the server, since the last one that succeeded. */
export class ServerCondition {
  readonly #logger: Logger;
  #isFull = false;
  #isLeaving = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** It opens no session any more; a smart shutdown waits until those that exist have ended. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  noteOpened(): void {
    this.#isFull = false;
    this.#isLeaving = false;
  }

  /** @param waiting sessions that are waited for */
  noteRefused(error: MultiPoolerError, isFull: boolean, waiting: number): void {
    this.#isLeaving = error.diagnostic?.code === CANNOT_CONNECT_NOW;
    if (isFull && !this.#isFull) {
      const message = "PostgreSQL has no connection left for the pool; requests wait";
      this.#logger.warn({ err: error, waiting }, message);
    } else {
      this.#logger.debug({ err: error, waiting }, "dial failed");
    }
    this.#isFull = isFull;
  }
}
