import type { SpanRequest } from "@multipooler/pgwire";
import { Deadline } from "@multipooler/timing";
import type { Clock, Timer } from "@multipooler/timing";
import type { Logger } from "../logger.ts";
import type { Lease } from "../pool/lease.ts";

/** How long a cancel request may take to reach the server. */
const CANCEL_TIMEOUT_MS = 5000;
/** How long what is ended by force has, from the cancel request on; then its connection is cut. */
const FORCE_AFTER_MS = 2000;

export interface UnitInterruptionOptions {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Interrupts what a session runs. Exists only while there is something to interrupt. */
export class UnitInterruption {
  readonly #options: UnitInterruptionOptions;
  #timer: Timer | undefined;
  #hasCancelled = false;

  constructor(options: UnitInterruptionOptions) {
    this.#options = options;
  }

  /** Asks the server to cancel the request. */
  cancel({ backend }: Lease, request: SpanRequest): void {
    if (!this.#hasCancelled) {
      this.#hasCancelled = true;
      void this.#cancel(backend, request);
    }
  }

  /** The same; if that does not end the request soon, its connection is cut. */
  force(lease: Lease, request: SpanRequest, reason: unknown): void {
    this.#timer ??= this.#options.clock.setTimer(() => lease.discard(reason), FORCE_AFTER_MS);
    this.cancel(lease, request);
  }

  /** The request has ended. */
  end(): void {
    this.#timer?.cancel();
  }

  async #cancel(backend: Lease["backend"], request: SpanRequest): Promise<void> {
    const { clock, logger } = this.#options;
    using deadline = new Deadline({ clock, ms: CANCEL_TIMEOUT_MS, what: "the cancel request" });
    try {
      await backend.cancel(request, { signal: deadline.signal });
    } catch (error) {
      logger.debug({ err: error, processId: backend.processId }, "cancel request failed");
    }
  }
}
