import type { PgwireError, RequestEnd, TransactionStatus } from "@multipooler/pgwire";
import type { Backend } from "../../pool/backend.ts";
import type { SetupRequest } from "../statements/statement-setup.ts";

export interface SetupRunOptions {
  /** All requests have ended well. */
  readonly onDone: () => void;
  /** One has failed, and left the session with this status. */
  readonly onFailed: (status: TransactionStatus) => void;
}

/** The requests that go before a unit and bring statements to its backend. */
export class SetupRun {
  readonly #options: SetupRunOptions;
  #left = 0;
  #error: PgwireError | undefined;

  constructor(options: SetupRunOptions) {
    this.#options = options;
  }

  /** Whether some have not ended. */
  get isRunning(): boolean {
    return this.#left > 0;
  }

  /** Why one has failed: the unit counts as failed with that. */
  get error(): PgwireError | undefined {
    return this.#error;
  }

  send(setups: readonly SetupRequest[], backend: Backend): void {
    this.#error = undefined;
    this.#left = setups.length;
    for (const setup of setups) {
      setup.onSettled = (end) => this.#settled(end);
      backend.send(setup);
    }
  }

  #settled(end: RequestEnd): void {
    this.#left -= 1;
    if (end.type !== "lost" && end.error !== undefined) {
      this.#error ??= end.error;
      this.#options.onFailed(end.transactionStatus);
    } else if (this.#left === 0) {
      this.#options.onDone();
    }
  }
}
