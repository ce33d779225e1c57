import type { SpanRequest } from "@multipooler/pgwire";
import { Deadline } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { Interruption } from "../../execution/interruption.ts";
import type { TerminateProcess } from "../../execution/terminations.ts";
import type { Logger } from "../../logger.ts";
import type { Backend } from "../../pool/backend.ts";

/** How long a cancel request of a client may take to reach the server. */
const CANCEL_TIMEOUT_MS = 5000;

export interface UnitInterruptionOptions {
  readonly backend: Backend;
  readonly request: SpanRequest;
  readonly clock: Clock;
  readonly terminate: TerminateProcess;
  readonly logger: Logger;
}

/** Interrupts what a session runs. Exists only while there is something to interrupt. */
export class UnitInterruption {
  readonly #options: UnitInterruptionOptions;
  #isCancelling = false;
  #forced: Interruption | undefined;

  constructor(options: UnitInterruptionOptions) {
    this.#options = options;
  }

  /** Asks the server to cancel the request, unless it is being asked. */
  cancel(): void {
    if (!this.#isCancelling && this.#forced === undefined) {
      this.#isCancelling = true;
      void this.#cancel();
    }
  }

  /** Ends the request by any means; see {@link Interruption}. */
  force(): void {
    this.#forced ??= new Interruption({ ...this.#options, mayEnd: true });
  }

  /**
   * The request has ended. Where its server process is about to be ended all the same, returns when that
   * is done: until then nobody else may get the backend.
   */
  end(): Promise<void> | undefined {
    const over = this.#forced?.end();
    return this.#forced?.isEnding === true ? over : undefined;
  }

  async #cancel(): Promise<void> {
    const { backend, request, clock, logger } = this.#options;
    using deadline = new Deadline({ clock, ms: CANCEL_TIMEOUT_MS, what: "the cancel request" });
    try {
      await backend.cancel(request, { signal: deadline.signal });
    } catch (error) {
      logger.debug({ err: error, processId: backend.processId }, "cancel request failed");
    } finally {
      this.#isCancelling = false;
    }
  }
}
