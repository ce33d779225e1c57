import { Backoff, Deadline, PeriodicTask } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import type { RecordEvent, ShardPrimary, TopoStore, Version, Versioned } from "@multipooler/topo";
import { FailureLog } from "../failure-log.ts";
import type { Logger } from "../logger.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { PoolerDescription } from "../manager-options.ts";
import type { NotReady } from "../serving/not-ready.ts";
import { follow } from "./follow.ts";
import { hasOwner, isRetired } from "./retired-pooler.ts";
import { ShardRecord } from "./shard-record.ts";
import { refusalOf } from "./shard-standing.ts";
import type { Standing } from "./shard-standing.ts";

/** How long one look at the record, or one write, may take. */
const ACCESS_TIMEOUT_MS = 5_000;
/** How often a second primary looks whether the first one has given up. */
const RIVAL_MS = 2_000;
/** How long that one has to look retired: a store that lost its data is filled again by then. */
const RETIRED_MS = 10_000;
/** How long a record that another pooler had is left to that one when it is gone. */
const VACANCY_MS = 3_000;

export interface ShardClaimOptions {
  readonly topology: TopoStore;
  readonly pooler: PoolerDescription;
  readonly ports: Readonly<Record<string, number>>;
  /** What tells the server from others; `undefined` while no server is known, or where it has no name. */
  readonly server: () => string | undefined;
  /** Whether the pooler is, or is to be, the primary; false only where that is certain. */
  readonly isCandidate: () => boolean;
  /** Whether it takes writes now. */
  readonly isPrimary: () => boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Called, synchronously, after each change of {@link ShardClaim.refusal}. */
  readonly onChange: () => void;
}

/**
 * Claims for this pooler's server that it takes the writes of its shard. One server at a time has
 * the claim, decided by a compare-and-set; all poolers of that server share it. It outlives pooler and
 * server: it is given up by a pooler that has another type or a standby by now, and taken over where
 * its pooler has another type and has ended.
 */
export class ShardClaim {
  readonly #options: ShardClaimOptions;
  readonly #record: ShardRecord;
  readonly #stop = new AbortController();
  readonly #task: PeriodicTask;
  readonly #backoff: Backoff;
  readonly #log: FailureLog;
  #standing: Standing = { name: "unknown" };
  /** Since when the other pooler looks retired, on the monotonic clock. */
  #retiredSince: number | undefined;
  #following: Promise<void> | undefined;

  constructor(options: ShardClaimOptions) {
    const { topology, pooler, clock, random, logger } = options;
    this.#options = options;
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
  }

  /** Resolves when nothing is in flight. The claim stays. Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all([this.#task.close(), this.#following]);
  }

  /** Whether it is known that this pooler may take writes. */
  get isHeld(): boolean {
    return this.#standing.name === "held";
  }

  /** Why the pooler must not take writes. */
  refusal(): NotReady | undefined {
    return refusalOf(this.#standing);
  }

  /** The server may be another one, or the wish: looks again. */
  reconsider(): void {
    const standing = this.#standing;
    if ("found" in standing) {
      this.#judge(standing.found);
    }
    this.#task.poke();
  }

  /**
   * Claims the shard where nobody else has it. Rejects with SECOND_PRIMARY where somebody has, and
   * with the error of a store that does not answer.
   */
  async claim(signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      signal?.throwIfAborted();
      const found = await this.#record.read(signal);
      this.#judge(found);
      const refusal = this.refusal();
      if (refusal !== undefined) {
        throw new ManagerError(ManagerErrorCode.SecondPrimary, refusal.reason);
      }
      if (this.#standing.name === "held" && this.#isUpToDate(this.#standing.found.record)) {
        return;
      }
      if (await this.#write(found?.version, signal)) {
        return;
      }
    }
  }

  /** Claims the shard whoever has it. Rejects with the error of a store that does not answer. */
  async takeOver(signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      signal?.throwIfAborted();
      const found = await this.#record.read(signal);
      this.#judge(found);
      if (this.#standing.name === "held" && this.#isUpToDate(this.#standing.found.record)) {
        return;
      }
      if (await this.#write(found?.version, signal)) {
        return;
      }
    }
  }

  #observe(event: RecordEvent<ShardPrimary>): void {
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

  #judge(found: Versioned<ShardPrimary> | undefined): void {
    const before = this.#standing;
    if (found === undefined) {
      if (before.name === "taken") {
        const vacantAt = this.#options.clock.monotonic() + VACANCY_MS;
        this.#become({ name: "left", by: before.found.record, vacantAt });
      } else if (before.name !== "left") {
        this.#become({ name: "vacant" });
      }
      return;
    }
    const wasRetired = before.name === "retired" && before.found.version === found.version;
    if (!("found" in before) || before.found.version !== found.version) {
      this.#retiredSince = undefined;
    }
    if (this.#isOwn(found.record)) {
      this.#become({ name: "held", found });
    } else if (!wasRetired) {
      this.#become({ name: "taken", found });
    }
  }

  #become(standing: Standing): void {
    const before = this.refusal()?.reason;
    this.#standing = standing;
    const reason = this.refusal()?.reason;
    if (reason === before) {
      return;
    }
    const { logger, isCandidate, onChange } = this.#options;
    if (reason !== undefined && isCandidate()) {
      logger.warn({ shard: this.#options.pooler.shard }, `takes no writes: ${reason}`);
    }
    onChange();
  }

  /** Names this pooler, or its server. */
  #isOwn({ pooler, server }: ShardPrimary): boolean {
    return this.#isByThisPooler(pooler) || (server !== "" && server === this.#options.server());
  }

  #isByThisPooler({ cell, name }: ShardPrimary["pooler"]): boolean {
    const { identity } = this.#options.pooler;
    return cell === identity.cell && name === identity.name;
  }

  #isUpToDate({ server }: ShardPrimary): boolean {
    return server === (this.#options.server() ?? "");
  }

  /** One turn of the task: resolves with the delay before the next. */
  async #look(stop: AbortSignal): Promise<number | undefined> {
    const { clock } = this.#options;
    using deadline = new Deadline({
      clock,
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
        if (isCandidate()) {
          await this.#lookAtRival(standing.found, signal);
          return RIVAL_MS;
        }
        return undefined;
    }
  }

  /** It takes over where the other pooler neither is nor can become the primary. */
  async #lookAtRival(found: Versioned<ShardPrimary>, signal: AbortSignal): Promise<void> {
    const { topology, clock } = this.#options;
    const now = clock.monotonic();
    this.#retiredSince = (await isRetired(topology, found.record.pooler, signal))
      ? (this.#retiredSince ?? now)
      : undefined;
    const standing = this.#standing;
    const isSame = standing.name === "taken" && standing.found.version === found.version;
    if (isSame && this.#retiredSince !== undefined && now - this.#retiredSince >= RETIRED_MS) {
      this.#become({ name: "retired", found });
    }
  }

  /** One that it has in common with a pooler that has ended becomes its own. */
  async #keep(
    { record, version }: Versioned<ShardPrimary>,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    await this.claim(signal);
    if (this.#isByThisPooler(record.pooler)) {
      return undefined;
    }
    if (!(await hasOwner(this.#options.topology, record.pooler, signal))) {
      await this.#write(version, signal);
    }
    return RIVAL_MS;
  }

  async #giveUp(
    { record, version }: Versioned<ShardPrimary>,
    signal: AbortSignal,
  ): Promise<undefined> {
    if (!this.#options.isCandidate() && this.#isByThisPooler(record.pooler)) {
      await this.#record.remove(version, signal);
    }
  }

  /** False where another pooler was faster. */
  async #write(version: Version | undefined, signal: AbortSignal | undefined): Promise<boolean> {
    const found = await this.#record.write(this.#ownRecord(), version, signal);
    if (found === undefined) {
      return false;
    }
    this.#become({ name: "held", found });
    return true;
  }

  #ownRecord(): ShardPrimary {
    const { pooler, ports, server, clock } = this.#options;
    return {
      pooler: pooler.identity,
      address: `${pooler.hostname}:${ports["grpc"] ?? 0}`,
      server: server() ?? "",
      since: new Date(clock.now()),
    };
  }
}
