import type { MultiPoolerError } from "../error.ts";
import { connectionLimitOf } from "../postgres-error.ts";
import type { SchedulerOptions } from "./scheduler-options.ts";

/** Sent by a server that shuts down, or starts. */
const CANNOT_CONNECT_NOW = "57P03";

type ServerConditionOptions = Pick<SchedulerOptions, "logger" | "mayComeFree">;

/** What the dials of a pool have shown of the server, since the last one that succeeded. */
export class ServerCondition {
  readonly #options: ServerConditionOptions;
  #isFull = false;
  #isLeaving = false;

  constructor(options: ServerConditionOptions) {
    this.#options = options;
  }

  /** It opens no session any more; a smart shutdown waits until those that exist have ended. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  noteOpened(): void {
    this.#isFull = false;
    this.#isLeaving = false;
  }

  /**
   * Whether a connection can be waited for since the server had none left: where the role or the
   * database has a limit of its own, only one of theirs. @param size sessions of the pool
   */
  mayComeFree(error: MultiPoolerError, size: number): boolean {
    const whose = connectionLimitOf(error);
    return whose === undefined || size > 0 || this.#options.mayComeFree?.(whose) === true;
  }

  /** @param waiting sessions that are waited for */
  noteRefused(error: MultiPoolerError, isFull: boolean, waiting: number): void {
    this.#isLeaving = error.diagnostic?.code === CANNOT_CONNECT_NOW;
    if (isFull && !this.#isFull) {
      const message = "PostgreSQL has no connection left for the pool; requests wait";
      this.#options.logger.warn({ err: error, waiting }, message);
    } else {
      this.#options.logger.debug({ err: error, waiting }, "dial failed");
    }
    this.#isFull = isFull;
  }
}
