import type { ShardCluster, ShardName } from "@multipooler/topo";
import { PeriodicTask } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import type { ClusterPosition } from "../database/cluster-position.ts";
import type { DatabaseFacts } from "../database/managed-database.ts";
import type { Logger } from "../logger.ts";
import { NotReadyCode } from "../serving/not-ready.ts";
import type { NotReady } from "../serving/not-ready.ts";
import { clusterVerdict } from "./cluster-verdict.ts";

/** How often a server is looked at that is not on the shard's timeline. */
const LOOK_MS = 1_000;
/** How long a standby may follow a primary that the shard has not heard of yet. */
const AHEAD_MS = 10_000;

export interface ClusterCheckOptions {
  readonly shard: ShardName;
  /** What the server says of itself now; `undefined` while none is known. */
  readonly facts: () => DatabaseFacts | undefined;
  /** The system identifier that the shard had in an earlier run; `undefined` where none is known. */
  readonly remembered: bigint | undefined;
  /** Called with each that the topology names; `undefined` where it has none. */
  readonly remember: (systemIdentifier: bigint | undefined) => void;
  /** Whether the server is, or is to be, the primary: then it may bring the shard to a new timeline. */
  readonly isCandidate: () => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called, synchronously, after each change of {@link ClusterCheck.fault}. */
  readonly onChange: () => void;
}

/**
 * Compares the server with the cluster that the shard is: one of another cluster, or of another
 * branch of its history, holds other data and must not be served.
 *
 * | verdict            | a standby                    | out of recovery         | candidate for PRIMARY |
 * | ------------------ | ---------------------------- | ----------------------- | --------------------- |
 * | same               | is served                    | is served               | is served             |
 * | behind             | is served: it follows        | has diverged            | has diverged          |
 * | ahead              | is served for {@link AHEAD_MS}, then it has diverged | likewise | is served, and the shard follows it |
 * | diverged, stranger | is not served                | is not served           | is not served         |
 */
export class ClusterCheck {
  readonly #options: ClusterCheckOptions;
  readonly #task: PeriodicTask;
  #shard: ShardCluster | undefined;
  /** Counts until the topology has said something. */
  #remembered: bigint | undefined;
  #fault: NotReady | undefined;
  /** Since when the server is ahead of this state of the shard, on the monotonic clock. */
  #aheadSince: number | undefined;

  constructor(options: ClusterCheckOptions) {
    this.#options = options;
    this.#remembered = options.remembered;
    this.#task = new PeriodicTask({ clock: options.clock, run: async () => this.#look() });
  }

  open(): void {
    this.#task.open();
  }

  close(): Promise<void> {
    return this.#task.close();
  }

  /** The cluster that the shard is, as far as is known. */
  get cluster(): ShardCluster | undefined {
    return this.#shard;
  }

  /** Why the server must not be served, in any role. */
  get fault(): NotReady | undefined {
    return this.#fault;
  }

  /** Takes note of the shard's cluster. */
  learn(shard: ShardCluster | undefined): void {
    if (shard?.timeline !== this.#shard?.timeline) {
      this.#aheadSince = undefined;
    }
    this.#shard = shard;
    this.#remembered = undefined;
    this.#options.remember(shard?.systemIdentifier);
    this.reconsider();
  }

  /** The server may be another one, or elsewhere in its history. */
  reconsider(): void {
    const fault = this.#judge();
    this.#task.poke();
    if (fault?.reason === this.#fault?.reason) {
      return;
    }
    const { logger, shard, onChange } = this.#options;
    this.#fault = fault;
    if (fault !== undefined) {
      logger.error({ shard, code: fault.code }, fault.reason);
    } else {
      logger.info({ shard }, "PostgreSQL has the data of the shard again");
    }
    onChange();
  }

  /** One turn of the task: resolves with the delay before the next. */
  #look(): number | undefined {
    const fault = this.#judge();
    if (fault?.reason !== this.#fault?.reason) {
      this.reconsider();
    }
    const cluster = this.#options.facts()?.cluster;
    const isElsewhere =
      cluster !== undefined &&
      this.#shard !== undefined &&
      clusterVerdict(cluster, this.#shard).type !== "same";
    return isElsewhere ? LOOK_MS : undefined;
  }

  #judge(): NotReady | undefined {
    const facts = this.#options.facts();
    const shard = this.#shard;
    if (facts === undefined) {
      // A server that is away is what it was.
      return this.#fault;
    }
    if (facts.cluster === undefined) {
      return undefined;
    }
    if (shard === undefined) {
      const { systemIdentifier } = facts.cluster;
      const known = this.#remembered ?? systemIdentifier;
      return known === systemIdentifier
        ? undefined
        : this.#faultOf(NotReadyCode.WrongCluster, facts, stranger(systemIdentifier, known));
    }
    const verdict = clusterVerdict(facts.cluster, shard);
    if (verdict.type !== "ahead") {
      this.#aheadSince = undefined;
    }
    switch (verdict.type) {
      case "stranger":
        return this.#faultOf(
          NotReadyCode.WrongCluster,
          facts,
          stranger(facts.cluster.systemIdentifier, shard.systemIdentifier),
        );
      case "diverged":
        return this.#faultOf(NotReadyCode.Diverged, facts, verdict.how);
      case "same":
        return undefined;
      case "behind":
        return facts.inRecovery
          ? undefined
          : this.#faultOf(NotReadyCode.Diverged, facts, outside(facts.cluster, shard));
      case "ahead":
        return this.#isAheadForLong()
          ? this.#faultOf(NotReadyCode.Diverged, facts, outside(facts.cluster, shard))
          : undefined;
    }
  }
  /** Whether the server has been ahead for longer than the shard needs to learn of a new primary. */
  #isAheadForLong(): boolean {
    const { clock, isCandidate } = this.#options;
    if (isCandidate()) {
      this.#aheadSince = undefined;
      return false;
    }
    const now = clock.monotonic();
    this.#aheadSince ??= now;
    return now - this.#aheadSince >= AHEAD_MS;
  }

  #faultOf(code: NotReadyCode, { place }: DatabaseFacts, how: string): NotReady {
    const { database, tableGroup, shard } = this.#options.shard;
    const name = [database, tableGroup, shard].join("/");
    return {
      code,
      reason:
        `PostgreSQL at ${place ?? "its address"} ${how}, so it is not served: give it the data of ` +
        `shard ${name}, or, where the shard is to start over with this data, delete its state ` +
        `(multipooler ctl topo delete shard/${name})`,
    };
  }
}

function stranger(server: bigint, shard: bigint): string {
  return `has system identifier ${server}, and the shard ${shard}`;
}

function outside({ timeline }: ClusterPosition, shard: ShardCluster): string {
  return `is on timeline ${timeline}, and the primary of the shard on ${shard.timeline}`;
}
