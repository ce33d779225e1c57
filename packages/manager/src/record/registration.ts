import { PoolerRole } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import type { CallOptions } from "@multipooler/query-service";
import { Deadline } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { PoolerType as RecordType, TopoErrorCode, isTopoError } from "@multipooler/topo";
import type { Multipooler, TopoStore } from "@multipooler/topo";
import { messageOf } from "../error-message.ts";
import type { Logger } from "../logger.ts";
import type { DatabaseHealth } from "../database/database-monitor.ts";
import type { DatabaseFacts } from "../database/managed-database.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { PoolerDescription } from "../manager-options.ts";
import type { TopologyStatus } from "../manager-status.ts";
import { changeOf } from "./announcement.ts";
import type { Announcement } from "./announcement.ts";
import { CellKeeper } from "./cell-keeper.ts";
import { recordId } from "./pooler-record.ts";
import { Newcomer } from "./newcomer.ts";
import { PoolerPublisher } from "./pooler-publisher.ts";
import { PoolerType } from "./pooler-type.ts";
import { claimFault } from "./claim-right.ts";
import { ShardClaim } from "./shard-claim.ts";
import { isRefusal, sourceOf } from "./publisher-status.ts";
import type { PublisherStatus } from "./publisher-status.ts";
import { NotReadyCode } from "../serving/not-ready.ts";
import type { NotReady } from "../serving/not-ready.ts";
import type { ServingAnnouncement } from "../serving/serving-steps.ts";
import type { TermFacts } from "../serving/serving-target.ts";
import type { TypeMemory } from "./type-memory.ts";

export interface RegistrationOptions {
  readonly topology: TopoStore;
  readonly topologyName: string;
  readonly pooler: PoolerDescription;
  readonly memory: TypeMemory;
  /** What {@link memory} held at the start. */
  readonly rememberedType: PoolerType | undefined;
  /** What is known of the database. */
  readonly health: () => DatabaseHealth;
  /** Whether the pooler takes writes now. */
  readonly isPrimary: () => boolean;
  /** Whether a promotion was begun and is not complete: it keeps its claim of the shard. */
  readonly isPromoting: () => boolean;
  /** `undefined` where the pooler has none. */
  readonly term: () => TermFacts | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Called, synchronously, after each change of type or status. */
  readonly onChange: () => void;
}

/** How long a topology that does not answer is waited for before the pooler goes on without it. */
const TOPOLOGY_TIMEOUT_MS = 5_000;
/** Longer than it takes to find out whether the process that has the name still lives. */
const NAME_TIMEOUT_MS = 20_000;

/**
 * This pooler in the topology for one run of the manager: its record and its cell's, what the
 * record was last seen to say, and what is remembered of it on this machine.
 */
export class Registration {
  readonly #options: RegistrationOptions;
  readonly #publisher: PoolerPublisher;
  readonly #cell: CellKeeper;
  readonly #shard: ShardClaim;
  readonly #newcomer: Newcomer;
  readonly #unwatch: () => void;
  #awaySince: Date | undefined;

  constructor(options: RegistrationOptions) {
    const { topology, pooler, rememberedType, clock, random, logger, onChange } = options;
    const { cell } = pooler.identity;
    this.#options = options;
    this.#publisher = new PoolerPublisher({
      cell: topology.cell(cell),
      pooler,
      rememberedType,
      clock,
      random,
      logger,
    });
    const { cells } = topology.global;
    this.#cell = new CellKeeper({ cells, name: cell, clock, random, logger, onChange });
    this.#shard = new ShardClaim({
      ...options,
      facts: () => this.#facts,
      remembered: options.memory.systemIdentifier,
      remember: (systemIdentifier) => options.memory.rememberCluster(systemIdentifier),
      isCandidate: () => this.#isCandidate,
      onChange: () => this.#noteRival(),
    });
    this.#newcomer = new Newcomer({
      ...options,
      shard: this.#shard,
      status: () => this.#publisher.status(),
      giveType: (type, signal) => this.#publisher.giveType(type, signal),
      facts: () => this.#facts,
    });
    this.#unwatch = this.#publisher.watchStatus((status) => this.#observe(status));
  }

  /**
   * Registers in the background. Resolves when that is done, or when the topology turned out to be
   * away, which is logged: the pooler then goes by what it remembers. Rejects with
   * REGISTRATION_REFUSED where no retry helps, and with NAME_IN_USE where another process uses the
   * pooler's name, which takes as long as that one may still turn out to have died.
   */
  async open({ signal }: CallOptions = {}): Promise<void> {
    this.#publisher.open();
    this.#cell.open();
    this.#shard.open();
    this.#newcomer.open();
    await this.#until(
      ({ registered, lastError }) => registered || lastError !== undefined,
      TOPOLOGY_TIMEOUT_MS,
      signal,
    );
    const { registered, otherOwner, lastError } = await this.#until(
      (status) => status.otherOwner === undefined || status.otherOwner.isAlive,
      NAME_TIMEOUT_MS,
      signal,
    );
    if (registered) {
      return;
    }
    if (isRefusal(lastError)) {
      throw otherOwner === undefined
        ? new ManagerError(ManagerErrorCode.RegistrationRefused, messageOf(lastError), {
            cause: lastError,
          })
        : lastError;
    }
    this.#options.logger.warn(
      { err: lastError, type: this.type(), source: this.status().typeSource },
      "the topology cannot be reached; the pooler goes on and registers when it is back",
    );
  }

  /** The type that the topology last named; UNKNOWN where none is known. */
  type(): PoolerType {
    return this.#publisher.status().type?.value ?? PoolerType.Unknown;
  }

  /** Why the pooler must not serve: another process uses its name. */
  refusal(): NotReady | undefined {
    const { otherOwner, lastError } = this.#publisher.status();
    if (otherOwner === undefined) {
      return undefined;
    }
    const { address, since } = otherOwner.owner;
    const reason = isRefusal(lastError)
      ? messageOf(lastError)
      : `the pooler at ${address} has used this name since ${since.toISOString()}`;
    return { code: NotReadyCode.NameInUse, reason };
  }

  /** Why the pooler must not take writes: its shard has a primary on another server. */
  rival(): NotReady | undefined {
    return this.#shard.refusal();
  }

  /** Why the server must not be served in any role: it does not have the data of the shard. */
  fault(): NotReady | undefined {
    return this.#shard.fault();
  }

  /** Whether it is about to be found out if a pooler without a type is to take writes. */
  get isUndecided(): boolean {
    return this.#newcomer.isUndecided;
  }

  /** The pooler's ports have changed. Publishes that, and does not wait. */
  portsChanged(): void {
    this.#publisher.publish({});
  }

  /** The database has changed. */
  reconsider(): void {
    this.#shard.reconsider();
    this.#newcomer.reconsider();
  }

  status(): TopologyStatus {
    const { registered, type, lastError, lastPublishedAt } = this.#publisher.status();
    const { isMissing } = this.#cell;
    return {
      implementation: this.#options.topologyName,
      registered: registered && !isMissing,
      typeSource: sourceOf(type?.source),
      ignoredType: this.#ignoredType(type?.value),
      shardPrimary: this.#shard.primary,
      lastError: lastError === undefined ? this.#cellError() : messageOf(lastError),
      lastPublishedAt,
      awaySince: this.#awaySince,
    };
  }

  /** Publishes what holds of serving. Does not wait. */
  announce({ target, draining }: ServingAnnouncement): void {
    this.#announce({ type: draining ? "draining" : "reached", target });
  }

  /** Publishes that the pooler is up. Does not wait. */
  announceActive(reason: string): void {
    this.#announce({ type: "active", reason });
  }

  /** Publishes that the pooler stops. Does not wait. */
  announceStopping(reason: string): void {
    this.#announce({ type: "stopping", reason });
  }

  /**
   * Claims the shard in the term of `target`, and publishes the role while the pooler does not serve in it
   * yet: for PRIMARY, and waits until that is written. A topology that is away does not keep a pooler from the
   * type that the topology itself gave it: then it goes on, if it had the shard before, in that term. Rejects
   * with SECOND_PRIMARY where another server has it, and with FAILED_PRECONDITION where something else is
   * against it.
   */
  async claim(target: ServingTarget, { signal }: CallOptions = {}): Promise<void> {
    if (target.role !== PoolerRole.Primary) {
      return;
    }
    await this.#claimShard(target.term?.coordinatorTerm ?? 0n, signal);
    this.#announce({ type: "claiming", target });
    const { upToDate } = await this.#until(
      (status) => status.upToDate || !status.reachable,
      TOPOLOGY_TIMEOUT_MS,
      signal,
    );
    if (!upToDate) {
      this.#options.logger.warn(
        { role: target.role },
        "the topology cannot be told of the role before it is taken",
      );
    }
  }

  /**
   * Names the type in the pooler's record, as an administrator does, and resolves when the pooler goes by
   * it. Rejects with the store's error.
   */
  async changeType(type: PoolerType, { signal }: CallOptions = {}): Promise<void> {
    const { topology, pooler } = this.#options;
    const { poolers } = topology.cell(pooler.identity.cell);
    const change = (record: Multipooler): Multipooler => ({ ...record, type: RecordType[type] });
    await poolers.update(recordId(pooler), change, { signal });
    await this.#publisher.until(
      (status) => status.type?.value === type && status.type.source === "topology",
      signal,
    );
  }

  /** The claim of the shard, for who makes the pooler its primary. */
  get shard(): Pick<ShardClaim, "claim" | "whyNot"> {
    return this.#shard;
  }

  /** Writes the last record and ends everything. Rejects where that write failed. Idempotent. */
  async close({ signal }: CallOptions = {}): Promise<void> {
    this.#unwatch();
    try {
      await this.#cell.close();
      await this.#newcomer.close();
      await this.#shard.close();
      await this.#publisher.close({ signal });
    } finally {
      await this.#options.memory.flush();
    }
  }

  #announce(announcement: Announcement): void {
    this.#publisher.publish(changeOf(announcement));
  }

  #observe({ type, reachable, lastError }: PublisherStatus): void {
    const { clock, onChange } = this.#options;
    const isAway = !reachable && isTopoError(lastError, ...UNANSWERED);
    this.#awaySince = isAway ? (this.#awaySince ?? new Date(clock.now())) : undefined;
    this.#rememberType(type);
    this.reconsider();
    onChange();
  }

  #noteRival(): void {
    this.#rememberType(this.#publisher.status().type);
    this.#newcomer.reconsider();
    this.#options.onChange();
  }

  /** A second primary must not take itself for the first one while the topology is away. */
  #rememberType(type: PublisherStatus["type"]): void {
    if (type?.source === "topology") {
      const isSecond = this.rival() !== undefined;
      this.#options.memory.remember(isSecond ? PoolerType.Unknown : type.value);
    }
  }

  get #facts(): DatabaseFacts | undefined {
    const health = this.#options.health();
    return health.state === "up" ? health.facts : undefined;
  }

  get #isCandidate(): boolean {
    if (this.#options.isPromoting()) {
      return true;
    }
    const { type } = this.#publisher.status();
    const mayBe =
      type === undefined || type.value === PoolerType.Primary || this.#newcomer.isClaiming;
    return mayBe && this.#facts?.inRecovery !== true;
  }

  async #claimShard(term: bigint, signal: AbortSignal | undefined): Promise<void> {
    const { clock, logger } = this.#options;
    const what = "the topology's answer";
    using deadline = new Deadline({ clock, ms: TOPOLOGY_TIMEOUT_MS, what, signal });
    let refusal: NotReady | undefined;
    try {
      refusal = await this.#shard.claim(deadline.signal);
    } catch (error) {
      signal?.throwIfAborted();
      const isRemembered = this.#publisher.status().type?.source === "remembered";
      if (!isRemembered && !this.#shard.isHeldIn(term)) {
        throw error;
      }
      logger.warn({ err: error }, "the topology cannot be asked for the primary of the shard");
    }
    if (refusal !== undefined) {
      throw claimFault(refusal);
    }
  }

  /** The configured type, where the pooler has another one. */
  #ignoredType(type: PoolerType | undefined): PoolerType | undefined {
    const { initialType } = this.#options.pooler;
    const isIgnored =
      type !== undefined && type !== initialType && initialType !== PoolerType.Unknown;
    return isIgnored ? initialType : undefined;
  }

  #cellError(): string | undefined {
    const { cell } = this.#options.pooler.identity;
    return this.#cell.isMissing ? `the record of cell ${JSON.stringify(cell)} is gone` : undefined;
  }

  /** The first status for which `holds`, or the last one before the time is over. */
  async #until(
    holds: (status: PublisherStatus) => boolean,
    ms: number,
    signal: AbortSignal | undefined,
  ): Promise<PublisherStatus> {
    const { clock } = this.#options;
    using deadline = new Deadline({ clock, ms, what: "the topology's answer", signal });
    try {
      return await this.#publisher.until(holds, deadline.signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (!deadline.signal.aborted) {
        throw error;
      }
      return this.#publisher.status();
    }
  }
}

const UNANSWERED = [TopoErrorCode.Unavailable, TopoErrorCode.Timeout] as const;
