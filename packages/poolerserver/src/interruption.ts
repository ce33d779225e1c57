import { PoolerErrorCode } from "@multipooler/controller-api";
import { untilAborted } from "./abort.ts";
import type { Backend } from "./backend.ts";
import type { Clock } from "./clock.ts";
import { Deadline } from "./deadline.ts";
import { MultiPoolerError } from "./error.ts";

/** How long an interrupted backend has to come to its end before its socket is cut. */
const INTERRUPT_GRACE_MS = 2000;

/**
 * Interrupts what a backend runs: asks the server to cancel it, and cuts the socket if the server
 * cannot be asked, or if it is not over 2 s later.
 */
export class Interruption {
  readonly #backend: Backend;
  readonly #clock: Clock;
  readonly #over = Promise.withResolvers<void>();
  #cancelling: Promise<void> | undefined;

  constructor(backend: Backend, clock: Clock) {
    this.#backend = backend;
    this.#clock = clock;
  }

  get begun(): boolean {
    return this.#cancelling !== undefined;
  }

  /** Further calls do nothing. */
  begin(): void {
    this.#cancelling ??= this.#cancel();
  }

  /**
   * To be called when nothing runs on the backend any more. Resolves when the server can no longer
   * apply the cancel request to what the backend runs next.
   */
  async end(): Promise<void> {
    this.#over.resolve();
    await this.#cancelling;
  }

  async #cancel(): Promise<void> {
    using deadline = new Deadline({ clock: this.#clock, timeoutMs: INTERRUPT_GRACE_MS });
    try {
      // The server closes the request's socket after it has signalled the session's process.
      await this.#backend.cancel({ signal: deadline.signal });
      await untilAborted(this.#over.promise, deadline.signal);
    } catch (cause) {
      const message = "the statement could not be cancelled in time";
      this.#backend.destroy(
        new MultiPoolerError(PoolerErrorCode.ConnectionLost, message, { cause }),
      );
    }
  }
}
