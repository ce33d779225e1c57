import { PoolerErrorCode } from "@multipooler/controller-api";
import { Deadline } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { untilAborted } from "./abort.ts";
import type { Backend } from "./backend.ts";
import { MultiPoolerError } from "./error.ts";
import type { TerminateProcess } from "./termination.ts";

/** How long an interrupted backend has to come to its end before its process is ended. */
const INTERRUPT_GRACE_MS = 2000;
/** How long the server may take to end that process. */
const TERMINATE_GRACE_MS = 1000;

/**
 * Interrupts what a backend runs: asks the server to cancel it. If the server cannot be asked, or
 * if it is not over 2 s later, the socket is cut, but not before the server has ended the process
 * or had 1 s to do so: a statement that does not heed the cancel would not notice the missing
 * socket either, and could still commit.
 */
export class Interruption {
  readonly #backend: Backend;
  readonly #clock: Clock;
  readonly #terminate: TerminateProcess;
  readonly #over = Promise.withResolvers<void>();
  #isOver = false;
  #cancelling: Promise<void> | undefined;

  constructor(options: {
    readonly backend: Backend;
    readonly clock: Clock;
    readonly terminate: TerminateProcess;
  }) {
    this.#backend = options.backend;
    this.#clock = options.clock;
    this.#terminate = options.terminate;
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
    this.#isOver = true;
    this.#over.resolve();
    await this.#cancelling;
  }

  async #cancel(): Promise<void> {
    using deadline = new Deadline({
      clock: this.#clock,
      ms: INTERRUPT_GRACE_MS,
      what: "the cancel",
    });
    try {
      // The server closes the request's socket after it has signalled the session's process.
      await this.#backend.cancel({ signal: deadline.signal });
      await untilAborted(this.#over.promise, deadline.signal);
    } catch (cause) {
      // The number of a process that has gone may be another one's by now.
      if (!this.#isOver) {
        await this.#endProcess();
      }
      const message = "the statement could not be cancelled in time";
      this.#backend.destroy(
        new MultiPoolerError(PoolerErrorCode.ConnectionLost, message, { cause }),
      );
    }
  }

  async #endProcess(): Promise<void> {
    using deadline = new Deadline({
      clock: this.#clock,
      ms: TERMINATE_GRACE_MS,
      what: "ending the process",
    });
    const { signal } = deadline;
    const terminated = this.#terminate(this.#backend.processId, { signal });
    // A server that cannot be told is most likely gone, and nothing more can be done from here.
    await untilAborted(terminated, signal).catch(() => undefined);
  }
}
