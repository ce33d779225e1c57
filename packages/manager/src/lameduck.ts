import type { ServingTarget } from "@multipooler/controller-api";
import { Deadline, sleep } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import type { Logger } from "./logger.ts";
import { sameTarget } from "./serving/serving-target.ts";
import type { ServiceTransport } from "./transport/service-transport.ts";
import { moveAllClients } from "./transport/transports.ts";

export interface LameduckOptions {
  /** How long the pooler serves on. */
  readonly lameduckMs: number;
  /** What it serves. */
  readonly target: ServingTarget;
  readonly transports: readonly ServiceTransport[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How long clients that were asked to leave may take: longer than it takes to be told. */
const MOVE_MS = 1_000;

/**
 * The time in which a pooler that stops serves on, not ready any more: who looks at its readiness
 * sends new clients elsewhere, and nothing is refused. At its end the clients that are still
 * connected are asked to leave. What is served does not change in between: when it is to, the time
 * is over.
 */
export class Lameduck {
  readonly #options: LameduckOptions;
  readonly #over = new AbortController();

  constructor(options: LameduckOptions) {
    this.#options = options;
  }

  /** Something is known that decides what is to be served. */
  heed(target: ServingTarget): void {
    if (!sameTarget(target, this.#options.target)) {
      this.#over.abort();
    }
  }

  /** Resolves when the drain can begin: after the time, at once when the signal aborts. Never rejects. */
  async run(signal: AbortSignal | undefined): Promise<void> {
    const { lameduckMs, transports, clock, logger } = this.#options;
    const over = this.#over.signal;
    const either = signal === undefined ? over : AbortSignal.any([signal, over]);
    logger.info({ lameduckMs }, "not ready any more; serving on before the drain");
    await sleep(clock, lameduckMs, either);
    if (either.aborted) {
      return;
    }
    using bound = new Deadline({ clock, ms: MOVE_MS, what: "moving the clients", signal: either });
    try {
      await moveAllClients(transports, { signal: bound.signal });
    } catch (error) {
      logger.warn({ err: error }, "clients could not be asked to leave");
    }
  }
}
