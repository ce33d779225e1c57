import { Backoff, Deadline, PeriodicTask } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import type { TopoStore } from "@multipooler/topo";
import type { DatabaseFacts } from "../database/managed-database.ts";
import { FailureLog } from "../failure-log.ts";
import type { Logger } from "../logger.ts";
import type { PoolerDescription } from "../manager-options.ts";
import { PoolerType } from "./pooler-type.ts";
import type { PublisherStatus } from "./publisher-status.ts";
import type { ShardClaim } from "./shard-claim.ts";
import { typedPoolerOf } from "./shard-poolers.ts";

/** How long one attempt may take. */
const ATTEMPT_TIMEOUT_MS = 5_000;

export interface NewcomerOptions {
  readonly topology: TopoStore;
  readonly pooler: PoolerDescription;
  readonly rememberedType: PoolerType | undefined;
  readonly shard: ShardClaim;
  readonly status: () => PublisherStatus;
  readonly giveType: (type: PoolerType, signal: AbortSignal) => Promise<void>;
  /** What the server says of itself now; `undefined` while none is known. */
  readonly facts: () => DatabaseFacts | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Called, synchronously, when {@link Newcomer.isUndecided} may have changed. */
  readonly onChange: () => void;
}

/**
 * Makes a pooler the primary that nobody gave a type, neither by a setting nor in the topology nor in an
 * earlier run, if it is the first of its shard: so that the default start takes writes.
 *
 * | the server      | the shard                                                  | then                  |
 * | --------------- | ---------------------------------------------------------- | --------------------- |
 * | in recovery     | any                                                        | it stays without type |
 * | out of recovery | has no primary, and no other pooler that has a type        | it becomes PRIMARY    |
 * | out of recovery | has this very server for its primary                       | it becomes PRIMARY    |
 * | out of recovery | has another primary, or another pooler that has a type     | it stays without type, serves reads, and says so |
 *
 * The claim of the shard, a compare-and-set, decides between several; the type is written after it.
 * Somebody who takes the type away again is heeded until the next start.
 */
export class Newcomer {
  readonly #options: NewcomerOptions;
  readonly #task: PeriodicTask;
  readonly #backoff: Backoff;
  readonly #log: FailureLog;
  /** Somebody has given the pooler a type. */
  #isTyped: boolean;
  #wasDecided = false;
  #hasClaim = false;
  #complaint: string | undefined;

  constructor(options: NewcomerOptions) {
    const { pooler, rememberedType, clock, random, logger } = options;
    this.#options = options;
    this.#isTyped = [pooler.initialType, rememberedType].some(isType);
    this.#task = new PeriodicTask({ clock, run: (signal) => this.#attempt(signal) });
    this.#backoff = new Backoff({ minMs: 100, maxMs: 5_000, random });
    const what = "finding out whether this pooler is the first of its shard";
    this.#log = new FailureLog({ clock, logger, what });
  }

  open(): void {
    this.#task.open();
  }

  close(): Promise<void> {
    return this.#task.close();
  }

  /** Whether it is about to be found out if the pooler is to take writes. */
  get isUndecided(): boolean {
    return !this.#wasDecided && this.#isEligible;
  }

  /** Whether it has claimed the shard, and its type is on the way. */
  get isClaiming(): boolean {
    return this.#hasClaim && this.#isEligible;
  }

  /** Something that decides may have changed. */
  reconsider(): void {
    if (isType(this.#options.status().type?.value)) {
      this.#isTyped = true;
    }
    if (this.#isEligible) {
      this.#task.poke();
    }
  }

  get #isEligible(): boolean {
    const { status, facts } = this.#options;
    const { type, registered } = status();
    return (
      !this.#isTyped && registered && type?.source === "topology" && facts()?.inRecovery === false
    );
  }

  /** One turn of the task: resolves with the delay before the next. */
  async #attempt(stop: AbortSignal): Promise<number | undefined> {
    if (!this.#isEligible) {
      return undefined;
    }
    const { clock } = this.#options;
    const what = "the topology's answer";
    using deadline = new Deadline({ clock, ms: ATTEMPT_TIMEOUT_MS, what, signal: stop });
    try {
      await this.#decide(deadline.signal);
      this.#log.succeeded();
      this.#backoff.reset();
      return undefined;
    } catch (error) {
      if (stop.aborted) {
        return undefined;
      }
      this.#log.failed(error);
      return this.#backoff.nextMs();
    } finally {
      this.#wasDecided = true;
      this.#options.onChange();
    }
  }

  async #decide(signal: AbortSignal): Promise<void> {
    const { shard, giveType, topology, pooler, logger } = this.#options;
    let why: string | undefined;
    const isFirst = async (): Promise<boolean> => {
      const other = await typedPoolerOf(topology, pooler, signal);
      why = other && `the shard has pooler ${other.name} of type ${other.type}`;
      return other === undefined;
    };
    // The claim must not be given up between it and the type.
    this.#hasClaim = true;
    this.#hasClaim = await shard.claimAsFirst(isFirst, signal);
    if (!this.#hasClaim) {
      this.#complain(
        why ??
          (shard.fault() ?? shard.refusal())?.reason ??
          "its shard has a primary, or a term that this pooler does not lead",
      );
      return;
    }
    logger.info(
      { shard: pooler.shard },
      "this pooler is the first of its shard: it becomes PRIMARY",
    );
    await giveType(PoolerType.Primary, signal);
  }

  #complain(reason: string): void {
    if (this.#complaint !== reason) {
      this.#complaint = reason;
      this.#options.logger.warn(
        { shard: this.#options.pooler.shard },
        `this pooler has no type and serves reads only: ${reason}`,
      );
    }
  }
}

function isType(type: PoolerType | undefined): boolean {
  return type !== undefined && type !== PoolerType.Unknown;
}
