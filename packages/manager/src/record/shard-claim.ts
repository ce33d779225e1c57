import { Backoff, Deadline, PeriodicTask } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import type {
  RecordEvent,
  ShardPrimary,
  ShardState,
  TopoStore,
  Versioned,
} from "@multipooler/topo";
import type { DatabaseFacts } from "../database/managed-database.ts";
import { FailureLog } from "../failure-log.ts";
import type { Logger } from "../logger.ts";
import type { PoolerDescription } from "../manager-options.ts";
import type { NotReady } from "../serving/not-ready.ts";
import type { TermFacts } from "../serving/serving-target.ts";
import type { ClaimRight } from "./claim-right.ts";
import { ClusterCheck } from "./cluster-check.ts";
import { follow } from "./follow.ts";
import { Rival, hasOwner } from "./rival.ts";
import { ShardClaimant } from "./shard-claimant.ts";
import { ShardRecord } from "./shard-record.ts";
import type { FoundClaim } from "./shard-standing.ts";
import { ShardView } from "./shard-view.ts";

/** How long one look at the record, or one write, may take. */
const ACCESS_TIMEOUT_MS = 5_000;
/** How often a second primary looks whether the first one has given up. */
const RIVAL_MS = 2_000;

export interface ShardClaimOptions {
  readonly topology: TopoStore;
  readonly pooler: PoolerDescription;
  /** What the server says of itself now; `undefined` while none is known. */
  readonly facts: () => DatabaseFacts | undefined;
  /** The system identifier that the shard had in an earlier run; `undefined` where none is known. */
  readonly remembered: bigint | undefined;
  /** Called with each that the topology names; `undefined` where it has none. */
  readonly remember: (systemIdentifier: bigint | undefined) => void;
  /** Whether the pooler is, or is to be, the primary; false only where that is certain. */
  readonly isCandidate: () => boolean;
  /** Whether it takes writes now. */
  readonly isPrimary: () => boolean;
  /** `undefined` where it has none. */
  readonly term: () => TermFacts | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Called, synchronously, after each change of {@link ShardClaim.refusal}, {@link ShardClaim.fault} or whether the shard is vacant. */
  readonly onChange: () => void;
}

/**
 * Claims for this pooler's server that it takes the writes of its shard. One server at a time has
 * the claim, decided by a compare-and-set; all poolers of that server share it. It outlives pooler and
 * server: it is given up by a pooler that has another type or a standby by now, and taken over where
 * its pooler has another type and has ended. The record also says whose data the shard is.
 */
export class ShardClaim {
  readonly #options: ShardClaimOptions;
  readonly #record: ShardRecord;
  readonly #stop = new AbortController();
  readonly #task: PeriodicTask;
  readonly #backoff: Backoff;
  readonly #log: FailureLog;
  readonly #check: ClusterCheck;
  readonly #claimant: ShardClaimant;
  readonly #rival: Rival;
  readonly #view: ShardView;
  #following: Promise<void> | undefined;

  constructor(options: ShardClaimOptions) {
    const { topology, pooler, clock, random, logger } = options;
    this.#options = options;
    this.#check = new ClusterCheck({ ...options, shard: pooler.shard });
    this.#claimant = new ShardClaimant(options);
    this.#rival = new Rival({
      topology,
      isOwnServer: (primary) => this.#claimant.isAtSamePlace(primary, this.#check.cluster),
      clock,
    });
    this.#view = new ShardView({
      ...options,
      shard: pooler.shard,
      claimant: this.#claimant,
      ownRight: () => this.#ownRight,
      learn: (cluster) => this.#check.learn(cluster),
      forget: () => this.#rival.forget(),
    });
    this.#record = new ShardRecord({ topology, shard: pooler.shard });
    this.#task = new PeriodicTask({ clock, run: (signal) => this.#look(signal) });
    this.#backoff = new Backoff({ minMs: 100, maxMs: 5_000, random });
    this.#log = new FailureLog({ clock, logger, what: "looking after the primary of the shard" });
  }

  /** Begins to watch. Idempotent. */
  open(): void {
    const { clock, random } = this.#options;
    this.#following ??= follow({
      watch: (signal) => this.#record.watch(signal),
      onEvent: (event) => this.#observe(event),
      onFailure: (error) => this.#log.failed(error),
      clock,
      random,
      signal: this.#stop.signal,
    });
    this.#task.open();
    this.#check.open();
  }

  /** Resolves when nothing is in flight. The claim stays. Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all([this.#task.close(), this.#check.close(), this.#following]);
  }

  /** Whether it is known that this pooler may take writes in a term; 0 where it has none. */
  isHeldIn(term: bigint): boolean {
    const { standing, term: known } = this.#view;
    return standing.name === "held" && (known?.number ?? 0n) >= term;
  }

  /** Who takes the writes, as the record said last. */
  get primary(): ShardPrimary | undefined {
    return this.#view.primary;
  }

  /** Why the pooler must not take writes. */
  refusal(): NotReady | undefined {
    return this.#view.refusal();
  }

  /** Why the server must not be served in any role: it does not have the data of the shard. */
  fault(): NotReady | undefined {
    return this.#check.fault;
  }

  /** The server may be another one, or the wish: looks again. */
  reconsider(): void {
    this.#check.reconsider();
    this.#view.judgeAgain();
    this.#task.poke();
  }

  /**
   * Claims the shard, by the right of the term that the pooler leads unless another one is named. Resolves
   * with why it may not, and then has changed nothing. Rejects with the error of a store that does not answer.
   */
  async claim(
    signal: AbortSignal | undefined,
    right: ClaimRight = this.#ownRight,
  ): Promise<NotReady | undefined> {
    for (;;) {
      signal?.throwIfAborted();
      const found = await this.#read(signal);
      const refusal = this.#refusalTo(right);
      if (refusal !== undefined) {
        return refusal;
      }
      const isHeld = this.#view.standing.name === "held";
      if (isHeld && found !== undefined && this.#claimant.isUpToDate(found.record, right)) {
        return undefined;
      }
      if (await this.#write(found, right, signal)) {
        return undefined;
      }
    }
  }

  /** What {@link claim} would resolve with now. */
  async whyNot(right: ClaimRight, signal: AbortSignal | undefined): Promise<NotReady | undefined> {
    await this.#read(signal);
    return this.#refusalTo(right);
  }

  /**
   * Claims the shard for a pooler that nobody gave a type: where its very server has the claim, or
   * nobody has and `isFirst` agrees. False where it is not claimed. Rejects with the error of a store
   * that does not answer.
   */
  async claimAsFirst(isFirst: () => Promise<boolean>, signal: AbortSignal): Promise<boolean> {
    const found = await this.#read(signal);
    const standing = this.#view.standing;
    const right = this.#ownRight;
    const isRefused =
      this.#view.refusalByTerm(right) !== undefined || right.superseded() !== undefined;
    if (isRefused || this.fault() !== undefined) {
      return false;
    }
    switch (standing.name) {
      case "held":
        return true;
      case "taken":
      case "retired":
        return (
          (await this.#rival.isLeftBehind(standing.found.primary, signal)) &&
          (await this.#write(found, right, signal))
        );
      case "vacant":
        return (await isFirst()) && (await this.#write(found, right, signal));
      case "unknown":
      case "left":
        return false;
    }
  }

  /** That of a pooler which leads its term, and takes the claim from nobody. */
  get #ownRight(): ClaimRight {
    const { term } = this.#options;
    return { term: term()?.number ?? 0n, superseded: () => term()?.superseded, from: "nobody" };
  }

  #refusalTo(right: ClaimRight): NotReady | undefined {
    return this.#view.refusalTo(right) ?? this.fault();
  }

  async #read(signal: AbortSignal | undefined): Promise<Versioned<ShardState> | undefined> {
    const found = await this.#record.read(signal);
    this.#view.judge(found);
    return found;
  }

  #observe(event: RecordEvent<ShardState>): void {
    switch (event.type) {
      case "snapshot":
        this.#view.judge(event.entries.at(0));
        break;
      case "put":
        this.#view.judge(event);
        break;
      case "delete":
        this.#view.judge(undefined);
        break;
      case "invalid":
        this.#log.failed(event.error);
        return;
      case "interrupted":
        return;
      case "resumed":
        break;
    }
    this.#task.poke();
  }

  /** One turn of the task: resolves with the delay before the next. */
  async #look(stop: AbortSignal): Promise<number | undefined> {
    using deadline = new Deadline({
      clock: this.#options.clock,
      ms: ACCESS_TIMEOUT_MS,
      what: "the primary of the shard",
      signal: stop,
    });
    try {
      const delay = await this.#act(deadline.signal);
      this.#log.succeeded();
      this.#backoff.reset();
      return delay;
    } catch (error) {
      if (!stop.aborted) {
        this.#log.failed(error);
      }
      return this.#backoff.nextMs();
    }
  }

  async #act(signal: AbortSignal): Promise<number | undefined> {
    const { clock, isCandidate, isPrimary } = this.#options;
    const standing = this.#view.standing;
    switch (standing.name) {
      case "unknown":
      case "retired":
        return undefined;
      case "vacant":
        if (isPrimary()) {
          await this.claim(signal);
        }
        return undefined;
      case "left": {
        const restMs = standing.vacantAt - clock.monotonic();
        if (restMs > 0) {
          return restMs;
        }
        this.#view.becomeVacant();
        return undefined;
      }
      case "held":
        return isPrimary()
          ? await this.#keep(standing.found, signal)
          : await this.#giveUp(standing.found, signal);
      case "taken":
        return isCandidate() ? await this.#lookAtRival(standing.found, signal) : undefined;
    }
  }

  async #lookAtRival(found: FoundClaim, signal: AbortSignal): Promise<number> {
    if (await this.#rival.isGone(found.primary, signal)) {
      this.#view.becomeRetired(found);
    }
    return RIVAL_MS;
  }

  /** One that it has in common with a pooler that has ended becomes its own. */
  async #keep({ primary }: FoundClaim, signal: AbortSignal): Promise<number | undefined> {
    if (this.fault() !== undefined) {
      return undefined;
    }
    await this.claim(signal);
    if (this.#claimant.isByThisPooler(primary)) {
      return undefined;
    }
    if (!(await hasOwner(this.#options.topology, primary.pooler, signal))) {
      const found = await this.#record.read(signal);
      if (found?.record.primary !== undefined && this.#claimant.isOwn(found.record.primary)) {
        await this.#write(found, this.#ownRight, signal);
      }
    }
    return RIVAL_MS;
  }

  async #giveUp({ primary, version }: FoundClaim, signal: AbortSignal): Promise<undefined> {
    if (!this.#options.isCandidate() && this.#claimant.isByThisPooler(primary)) {
      const left = { primary: undefined, cluster: this.#check.cluster, term: this.#view.term };
      await this.#record.write(left, version, signal);
    }
  }

  /** False where another pooler was faster. */
  async #write(
    found: Versioned<ShardState> | undefined,
    right: ClaimRight,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const state = this.#claimant.stateAfter(found?.record, right);
    const written = await this.#record.write(state, found?.version, signal);
    if (written === undefined) {
      return false;
    }
    this.#view.judge(written);
    return true;
  }
}
