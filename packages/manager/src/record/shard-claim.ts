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
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { PoolerDescription } from "../manager-options.ts";
import type { NotReady } from "../serving/not-ready.ts";
import { ClusterCheck } from "./cluster-check.ts";
import { follow } from "./follow.ts";
import { Rival, hasOwner } from "./rival.ts";
import { ShardClaimant } from "./shard-claimant.ts";
import { ShardRecord } from "./shard-record.ts";
import { refusalOf } from "./shard-standing.ts";
import type { FoundClaim, Standing } from "./shard-standing.ts";

/** How long one look at the record, or one write, may take. */
const ACCESS_TIMEOUT_MS = 5_000;
/** How often a second primary looks whether the first one has given up. */
const RIVAL_MS = 2_000;
/** How long a record that another pooler had is left to that one when it is gone. */
const VACANCY_MS = 3_000;

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
  #standing: Standing = { name: "unknown" };
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

  /** Whether it is known that this pooler may take writes. */
  get isHeld(): boolean {
    return this.#standing.name === "held";
  }

  /** Who takes the writes, as the record said last. */
  get primary(): ShardPrimary | undefined {
    return "found" in this.#standing ? this.#standing.found.primary : undefined;
  }

  /** Why the pooler must not take writes. */
  refusal(): NotReady | undefined {
    return refusalOf(this.#standing);
  }

  /** Why the server must not be served in any role: it does not have the data of the shard. */
  fault(): NotReady | undefined {
    return this.#check.fault;
  }

  /** The server may be another one, or the wish: looks again. */
  reconsider(): void {
    this.#check.reconsider();
    if ("found" in this.#standing) {
      this.#judgeClaim(this.#standing.found);
    }
    this.#task.poke();
  }

  /**
   * Claims the shard where nobody else has it, or from whoever has it. Rejects with SECOND_PRIMARY where somebody has, with
   * FAILED_PRECONDITION where the server does not have the shard's data, and with the error of a
   * store that does not answer.
   */
  async claim(
    signal: AbortSignal | undefined,
    { fromOthers = false }: { readonly fromOthers?: boolean } = {},
  ): Promise<void> {
    for (;;) {
      signal?.throwIfAborted();
      const found = await this.#record.read(signal);
      this.#judge(found);
      const refusal = this.refusal();
      if (refusal !== undefined && !fromOthers) {
        throw new ManagerError(ManagerErrorCode.SecondPrimary, refusal.reason);
      }
      const fault = this.fault();
      if (fault !== undefined) {
        throw new ManagerError(ManagerErrorCode.FailedPrecondition, fault.reason);
      }
      if (this.isHeld && found !== undefined && this.#claimant.isUpToDate(found.record)) {
        return;
      }
      if (await this.#write(found, signal)) {
        return;
      }
    }
  }

  /**
   * Claims the shard for a pooler that nobody gave a type: where its very server has the claim, or
   * nobody has and `isFirst` agrees. False where it is not claimed. Rejects with the error of a store
   * that does not answer.
   */
  async claimAsFirst(isFirst: () => Promise<boolean>, signal: AbortSignal): Promise<boolean> {
    const found = await this.#record.read(signal);
    this.#judge(found);
    const standing = this.#standing;
    if (this.fault() !== undefined) {
      return false;
    }
    switch (standing.name) {
      case "held":
        return true;
      case "taken":
      case "retired":
        return (
          (await this.#rival.isLeftBehind(standing.found.primary, signal)) &&
          (await this.#write(found, signal))
        );
      case "vacant":
        return (await isFirst()) && (await this.#write(found, signal));
      case "unknown":
      case "left":
        return false;
    }
  }

  #observe(event: RecordEvent<ShardState>): void {
    switch (event.type) {
      case "snapshot":
        this.#judge(event.entries.at(0));
        break;
      case "put":
        this.#judge(event);
        break;
      case "delete":
        this.#judge(undefined);
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

  #judge(found: Versioned<ShardState> | undefined): void {
    this.#check.learn(found?.record.cluster);
    const before = this.#standing;
    const primary = found?.record.primary;
    if (found === undefined && before.name === "taken") {
      const vacantAt = this.#options.clock.monotonic() + VACANCY_MS;
      this.#become({ name: "left", by: before.found.primary, vacantAt });
    } else if (found !== undefined && primary !== undefined) {
      this.#judgeClaim({ primary, version: found.version });
    } else if (found !== undefined || before.name !== "left") {
      this.#become({ name: "vacant" });
    }
  }

  #judgeClaim(found: FoundClaim): void {
    const before = this.#standing;
    const isSame = "found" in before && before.found.version === found.version;
    if (!isSame) {
      this.#rival.forget();
    }
    if (this.#claimant.isOwn(found.primary)) {
      this.#become({ name: "held", found });
    } else if (!(isSame && before.name === "retired")) {
      this.#become({ name: "taken", found });
    }
  }

  #become(standing: Standing): void {
    const before = { name: this.#standing.name, reason: this.refusal()?.reason };
    this.#standing = standing;
    const reason = this.refusal()?.reason;
    if (reason === before.reason && standing.name === before.name) {
      return;
    }
    const { logger, isCandidate, onChange } = this.#options;
    if (reason !== undefined && reason !== before.reason && isCandidate()) {
      logger.warn({ shard: this.#options.pooler.shard }, `takes no writes: ${reason}`);
    }
    onChange();
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
    const standing = this.#standing;
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
        this.#become({ name: "vacant" });
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

  /** Takes note of a rival that has gone, unless another claim was read meanwhile. */
  async #lookAtRival(found: FoundClaim, signal: AbortSignal): Promise<number> {
    const isGone = await this.#rival.isGone(found.primary, signal);
    const standing = this.#standing;
    if (isGone && standing.name === "taken" && standing.found.version === found.version) {
      this.#become({ name: "retired", found });
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
        await this.#write(found, signal);
      }
    }
    return RIVAL_MS;
  }

  async #giveUp({ primary, version }: FoundClaim, signal: AbortSignal): Promise<undefined> {
    if (!this.#options.isCandidate() && this.#claimant.isByThisPooler(primary)) {
      const left = { primary: undefined, cluster: this.#check.cluster };
      await this.#record.write(left, version, signal);
    }
  }

  /** False where another pooler was faster. */
  async #write(
    found: Versioned<ShardState> | undefined,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const state = this.#claimant.stateAfter(found?.record);
    const written = await this.#record.write(state, found?.version, signal);
    if (written === undefined) {
      return false;
    }
    this.#judge(written);
    return true;
  }
}
