import type { Request } from "@multipooler/pgwire";
import { PoolerErrorCode } from "@multipooler/query-service";
import { Deadline, untilAborted } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { MultiPoolerError } from "../error.ts";
import type { Backend } from "../pool/backend.ts";
import type { TerminateProcess } from "./terminations.ts";

/** How long an interrupted request has to come to its end before the server process is ended. */
const INTERRUPT_GRACE_MS = 2000;
/** How long the server may take to end that process. */
const TERMINATE_GRACE_MS = 1000;

export interface InterruptionOptions {
  readonly backend: Backend;
  readonly request: Request;
  readonly clock: Clock;
  readonly terminate: TerminateProcess;
  /** Whether the backend may be ended if the cancel does not help. */
  readonly mayEnd: boolean;
}

/**
 * Interrupts a request from its construction on: asks the server to cancel it. If the server cannot
 * be asked, or if the request is not over 2 s later, the socket is cut if it may be, but not before the
 * server has ended the process or had 1 s to do so: a statement that does not heed the cancel would not
 * notice the missing socket either, and could still commit.
 */
export class Interruption {
  readonly #options: InterruptionOptions;
  readonly #over = Promise.withResolvers<void>();
  readonly #cancelled: Promise<void>;
  #isOver = false;
  #isEnding = false;

  constructor(options: InterruptionOptions) {
    this.#options = options;
    this.#cancelled = this.#cancel();
  }

  /** See {@link InterruptionOptions}. */
  get mayEnd(): boolean {
    return this.#options.mayEnd;
  }

  /**
   * Whether the server is asked to end the process, or has been: nobody else may get the backend, even
   * if the request has settled meanwhile. The socket is cut before `end` resolves.
   */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /**
   * To be called when the request has settled. Resolves when the server can no longer apply the
   * cancel to what the backend runs next, or the backend is gone. Never rejects.
   */
  async end(): Promise<void> {
    this.#isOver = true;
    this.#over.resolve();
    await this.#cancelled;
  }

  async #cancel(): Promise<void> {
    const { backend, request, clock } = this.#options;
    using deadline = new Deadline({ clock, ms: INTERRUPT_GRACE_MS, what: "the cancel" });
    const { signal } = deadline;
    try {
      await backend.cancel(request, { signal });
      await untilAborted(this.#over.promise, signal);
    } catch (cause) {
      if (!this.#options.mayEnd) {
        return;
      }
      // The PID of a process that has gone may be another one's by now.
      if (!this.#isOver) {
        this.#isEnding = true;
        await this.#endProcess();
      }
      const message = "the statement could not be cancelled in time";
      backend.destroy(new MultiPoolerError(PoolerErrorCode.ConnectionLost, message, { cause }));
    }
  }

  async #endProcess(): Promise<void> {
    const { backend, clock, terminate } = this.#options;
    using deadline = new Deadline({ clock, ms: TERMINATE_GRACE_MS, what: "ending the process" });
    const { signal } = deadline;
    // A server that cannot be asked is most likely gone, and nothing more can be done from here.
    await untilAborted(terminate(backend.processId, { signal }), signal).catch(() => undefined);
  }
}
