import { PoolerErrorCode } from "@multipooler/query-service";
import type { Clock } from "@multipooler/timing";
import { untilAborted } from "../abort.ts";
import { MultiPoolerError } from "../error.ts";
import type { Logger } from "../logger.ts";
import type { HolderCounts, Holders } from "./holders.ts";

export interface DrainOptions {
  readonly holders: Holders;
  /** For both stages together; 0: without bound. */
  readonly graceMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called, synchronously, when a stage begins. */
  readonly onPhase: (phase: "draining reserved" | "draining all") => void;
  /** What is told to those who are cut at the end of the grace. */
  readonly reason: () => MultiPoolerError;
}

/**
 * How a drain ended.
 *
 * | outcome   | means                                                    |
 * | --------- | -------------------------------------------------------- |
 * | completed | everything has ended by itself                           |
 * | cut       | the grace was over first, and what still ran was ended   |
 * | reversed  | what was being left was asked for again                  |
 * | aborted   | nobody waits for its end any more, or everything is closed |
 */
export type DrainOutcome = "completed" | "cut" | "reversed" | "aborted";

/**
 * One drain, in two stages under one deadline: first until no reservation is left, then until nothing
 * runs. What it waits for tells it; nothing is polled.
 */
export class Drain {
  readonly #options: DrainOptions;
  readonly #reversal = new AbortController();
  #outcome: DrainOutcome = "completed";
  #hasEnded = false;
  #cutRequests = 0;
  #durationMs = 0;

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  get outcome(): DrainOutcome {
    return this.#outcome;
  }

  get isReversed(): boolean {
    return this.#reversal.signal.aborted;
  }

  /** How many requests and reservations were ended at the end of the grace. */
  get cutRequests(): number {
    return this.#cutRequests;
  }

  get durationMs(): number {
    return this.#durationMs;
  }

  /**
   * Resolves when nothing runs any more. Rejects with CANCELLED when it is reversed, and as the
   * signal says when that aborts.
   */
  async run(signal: AbortSignal | undefined): Promise<void> {
    const { holders, graceMs, clock } = this.#options;
    const startedAt = clock.monotonic();
    const needsTimer = graceMs > 0 && !isEmpty(holders.counts);
    const timer = needsTimer ? clock.setTimer(() => this.#cut(), graceMs) : undefined;
    const reversal = this.#reversal.signal;
    const either = signal === undefined ? reversal : AbortSignal.any([signal, reversal]);
    try {
      await this.#stages(either);
    } catch (error) {
      this.#outcome = this.isReversed ? "reversed" : "aborted";
      throw error;
    } finally {
      timer?.cancel();
      this.#hasEnded = true;
      this.#durationMs = clock.monotonic() - startedAt;
    }
  }

  /** Ends it, unless it has ended; returns whether. What it waits for runs on. */
  turnBack(): boolean {
    if (this.#hasEnded) {
      return false;
    }
    const message = "the change was reversed while it drained";
    this.#reversal.abort(new MultiPoolerError(PoolerErrorCode.Cancelled, message));
    return true;
  }

  /** The controller closes, and so ends what is waited for. */
  overtake(): void {
    this.#outcome = "aborted";
  }

  async #stages(signal: AbortSignal): Promise<void> {
    const { holders, onPhase } = this.#options;
    if (!hasNoReservation(holders.counts)) {
      onPhase("draining reserved");
      await untilAborted(holders.until(hasNoReservation), signal);
      this.#reversal.signal.throwIfAborted();
    }
    onPhase("draining all");
    await untilAborted(holders.until(isEmpty), signal);
    // What was waited for may have ended just before.
    this.#reversal.signal.throwIfAborted();
  }

  #cut(): void {
    const { holders, graceMs, logger, onPhase, reason } = this.#options;
    const { single, reserved } = holders.counts;
    logger.warn({ single, reserved, drainGraceMs: graceMs }, "cutting what still runs");
    this.#outcome = "cut";
    this.#cutRequests = single + reserved;
    onPhase("draining all");
    holders.cutAll(reason());
  }
}

function hasNoReservation({ reserved }: HolderCounts): boolean {
  return reserved === 0;
}

function isEmpty({ single, reserved }: HolderCounts): boolean {
  return single === 0 && reserved === 0;
}
