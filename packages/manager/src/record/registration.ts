import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import type { CallOptions } from "@multipooler/query-service";
import { Deadline, untilAborted } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import {
  PoolerLifecycleStatus,
  PoolerPublisher,
  TopoErrorCode,
  isTopoError,
} from "@multipooler/topo";
import type { PublisherStatus, TopoStore } from "@multipooler/topo";
import { messageOf } from "../error-message.ts";
import type { Logger } from "../logger.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { PoolerDescription } from "../manager-options.ts";
import type { TopologyStatus } from "../manager-status.ts";
import { PoolerType } from "./pooler-type.ts";
import { fromRecordType, toRecordIdentity, toRecordState, toRecordType } from "./record-words.ts";
import type { ServingAnnouncement } from "../serving/serving-reconciler.ts";
import type { TypeMemory } from "./type-memory.ts";

/** What a {@link Registration} is made of. */
export interface RegistrationOptions {
  readonly topology: TopoStore;
  readonly topologyName: string;
  readonly pooler: PoolerDescription;
  readonly memory: TypeMemory;
  /** What {@link memory} held at the start. */
  readonly rememberedType: PoolerType | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Called, synchronously, after each change of type or status. */
  readonly onChange: () => void;
}

/** How long a topology that does not answer is waited for before the pooler goes on without it. */
const TOPOLOGY_TIMEOUT_MS = 5_000;

/**
 * This pooler's record in the topology for one run of the manager: what it says, what it was last
 * seen to say, and what is remembered of it on this machine.
 */
export class Registration {
  readonly #options: RegistrationOptions;
  readonly #publisher: PoolerPublisher;
  readonly #unwatch: () => void;
  #awaySince: Date | undefined;

  constructor(options: RegistrationOptions) {
    const { topology, pooler, rememberedType, clock, random, logger } = options;
    this.#options = options;
    this.#publisher = new PoolerPublisher({
      poolers: topology.cell(pooler.identity.cell).poolers,
      identity: toRecordIdentity(pooler),
      initialType: toRecordType(pooler.initialType),
      rememberedType: rememberedType === undefined ? undefined : toRecordType(rememberedType),
      clock,
      random,
      logger,
    });
    this.#unwatch = this.#publisher.watchStatus((status) => this.#observe(status));
  }

  /**
   * Registers in the background. Resolves when that is done, or when the topology turned out to be
   * away, which is logged: the pooler then goes by what it remembers. Rejects with
   * REGISTRATION_REFUSED where no retry helps.
   */
  async open({ signal }: CallOptions = {}): Promise<void> {
    this.#publisher.open();
    const { registered, lastError } = await this.#until(
      (status) => status.registered || status.lastError !== undefined,
      signal,
    );
    if (registered) {
      return;
    }
    if (isTopoError(lastError, ...REFUSALS)) {
      throw new ManagerError(ManagerErrorCode.RegistrationRefused, messageOf(lastError), {
        cause: lastError,
      });
    }
    this.#options.logger.warn(
      { err: lastError, type: this.type(), source: this.status().typeSource },
      "the topology cannot be reached; the pooler goes on and registers when it is back",
    );
  }

  /** The type that the topology last named; UNKNOWN where none is known. */
  type(): PoolerType {
    const known = this.#publisher.status().type;
    return known === undefined ? PoolerType.Unknown : fromRecordType(known.value);
  }

  status(): TopologyStatus {
    const { registered, type, lastError, lastPublishedAt } = this.#publisher.status();
    return {
      implementation: this.#options.topologyName,
      registered,
      typeSource: sourceOf(type?.source),
      lastError: lastError === undefined ? undefined : messageOf(lastError),
      lastPublishedAt,
      awaySince: this.#awaySince,
    };
  }

  /** Publishes what holds of serving. Does not wait. */
  announce(announcement: ServingAnnouncement): void {
    this.#publisher.publish(toRecordState(announcement));
  }

  /** Publishes that the pooler is up. Does not wait. */
  announceActive(reason: string): void {
    this.#announceLifecycle(PoolerLifecycleStatus.LIFECYCLE_ACTIVE, reason);
  }

  /** Publishes that the pooler stops. Does not wait. */
  announceStopping(reason: string): void {
    this.#announceLifecycle(PoolerLifecycleStatus.LIFECYCLE_STOPPING, reason);
  }

  /**
   * Publishes the role of `target` while the pooler does not serve in it yet, and for PRIMARY waits
   * until that is written. A topology that is away does not keep a pooler from the type that the
   * topology itself gave it: then it goes on.
   */
  async claim(target: ServingTarget, { signal }: CallOptions = {}): Promise<void> {
    if (target.role !== PoolerRole.Primary) {
      return;
    }
    this.announce({ target: { ...target, status: ServingStatus.NotServing }, draining: false });
    const { upToDate } = await this.#until(
      (status) => status.upToDate || !status.reachable,
      signal,
    );
    if (!upToDate) {
      this.#options.logger.warn(
        { role: target.role },
        "the topology cannot be told of the role before it is taken",
      );
    }
  }

  /** Writes the last record and ends everything. Rejects where that write failed. Idempotent. */
  async close({ signal }: CallOptions = {}): Promise<void> {
    this.#unwatch();
    try {
      await this.#publisher.close({ signal });
    } finally {
      await this.#options.memory.flush();
    }
  }

  #announceLifecycle(status: PoolerLifecycleStatus, reason: string): void {
    this.#publisher.publish({ lifecycle: { status, reason } });
  }

  #observe({ type, reachable, lastError }: PublisherStatus): void {
    const { memory, clock, onChange } = this.#options;
    const isAway = !reachable && isTopoError(lastError, ...UNANSWERED);
    this.#awaySince = isAway ? (this.#awaySince ?? new Date(clock.now())) : undefined;
    if (type?.source === "topology") {
      memory.remember(fromRecordType(type.value));
    }
    onChange();
  }

  /** The first status for which `holds`, or the last one before the topology's time is over. */
  async #until(
    holds: (status: PublisherStatus) => boolean,
    signal: AbortSignal | undefined,
  ): Promise<PublisherStatus> {
    const now = this.#publisher.status();
    if (holds(now)) {
      return now;
    }
    const { promise, resolve } = Promise.withResolvers<PublisherStatus>();
    const unwatch = this.#publisher.watchStatus((status) => {
      if (holds(status)) {
        resolve(status);
      }
    });
    const { clock } = this.#options;
    using deadline = new Deadline({
      clock,
      ms: TOPOLOGY_TIMEOUT_MS,
      what: "the topology's answer",
      signal,
    });
    try {
      return await untilAborted(promise, deadline.signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (!deadline.signal.aborted) {
        throw error;
      }
      return this.#publisher.status();
    } finally {
      unwatch();
    }
  }
}

const REFUSALS = [
  TopoErrorCode.RecordConflict,
  TopoErrorCode.Denied,
  TopoErrorCode.InvalidArgument,
  TopoErrorCode.InvalidRecord,
] as const;

const UNANSWERED = [TopoErrorCode.Unavailable, TopoErrorCode.Timeout] as const;

function sourceOf(source: "topology" | "remembered" | undefined): TopologyStatus["typeSource"] {
  switch (source) {
    case "topology":
      return "topology";
    case "remembered":
      return "local memory";
    case undefined:
      return "none";
  }
}
