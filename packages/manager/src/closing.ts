import { Deadline, untilAborted } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { messageOf } from "./error-message.ts";
import type { Logger } from "./logger.ts";
import { ManagerError, ManagerErrorCode } from "./manager-error.ts";

export interface ClosingOptions {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One step of a closing. */
export interface ClosingStep {
  /** What is being closed. */
  readonly what: string;
  /** The longest that it may take; the next step follows then, whatever became of this one. */
  readonly ms: number;
  /** Whether something of this process may be left open when it fails. */
  readonly essential: boolean;
  readonly run: (signal: AbortSignal) => Promise<void>;
}

/** Closes one thing after the other, each within its time and whatever became of the ones before. */
export class Closing {
  readonly #options: ClosingOptions;
  readonly #failures: Error[] = [];

  constructor(options: ClosingOptions) {
    this.#options = options;
  }

  /** Runs one step. Never rejects. */
  async step({ what, ms, essential, run }: ClosingStep): Promise<void> {
    const { clock, logger } = this.#options;
    using deadline = new Deadline({ clock, ms, what });
    try {
      await untilAborted(run(deadline.signal), deadline.signal);
    } catch (error) {
      const failure = new Error(`${what}: ${messageOf(error)}`, { cause: error });
      logger.warn({ err: error }, failure.message);
      if (essential) {
        this.#failures.push(failure);
      }
    }
  }

  /** Throws CLOSE_FAILED if an essential step failed. */
  finish(): void {
    if (this.#failures.length === 0) {
      return;
    }
    const failures = this.#failures.map((failure) => failure.message).join("; ");
    throw new ManagerError(ManagerErrorCode.CloseFailed, `cannot close everything: ${failures}`, {
      cause: new AggregateError(this.#failures, failures),
    });
  }
}
