import type { CallOptions } from "@multipooler/query-service";
import { Deadline, sleep } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { messageOf } from "../error-message.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { ClaimRight } from "../record/claim-right.ts";
import type { Registration } from "../record/registration.ts";
import type { PoolerType } from "../record/pooler-type.ts";
import type { ReplicationControl, ServerPosition } from "../replication/replication-control.ts";
import type { NotReady } from "../serving/not-ready.ts";
import { admits } from "../serving/serving-target.ts";
import { untilStatus } from "../serving/status-wait.ts";
import type { StatusSource } from "../serving/status-wait.ts";
import { mayPass, whyNotServing } from "./role-outcome.ts";

export interface RoleSubjectOptions {
  readonly source: StatusSource;
  /** Throws NOT_OPEN while the manager is not ready to act. */
  readonly registration: () => Registration;
  readonly replication: () => ReplicationControl | undefined;
  /** Has the monitor look at the server now. */
  readonly checkDatabase: () => void;
  /** See `DatabaseMonitor.expectOutage`. */
  readonly expectOutage: () => Disposable;
  readonly clock: Clock;
}

/** How long a server may take until it answers after its start, and until the manager has seen it. */
const SERVER_TIMEOUT_MS = 60_000;
const TOPOLOGY_TIMEOUT_MS = 10_000;
const SERVING_TIMEOUT_MS = 10_000;
const POLL_MS = 100;

/** The pooler whose role is changed: its server, its record, and what it serves. */
export class RoleSubject {
  readonly #options: RoleSubjectOptions;

  constructor(options: RoleSubjectOptions) {
    this.#options = options;
  }

  /** The type that the topology names. Throws NOT_OPEN while the manager is not ready to act. */
  get type(): PoolerType {
    return this.#options.registration().type();
  }

  /** Throws UNSUPPORTED for a database that has no replication. */
  get replication(): ReplicationControl {
    const replication = this.#options.replication();
    if (replication === undefined) {
      throw new ManagerError(
        ManagerErrorCode.Unsupported,
        "the database behind this pooler has no replication",
      );
    }
    return replication;
  }

  /** Throws FAILED_PRECONDITION while the topology does not answer: a role could not be told. */
  requireTopology(): void {
    const { awaySince, lastError } = this.#options.registration().status();
    if (awaySince !== undefined) {
      throw new ManagerError(
        ManagerErrorCode.FailedPrecondition,
        `the topology has not answered since ${awaySince.toISOString()}: ${lastError ?? "no answer"}`,
      );
    }
  }

  /** Resolves with true when nothing is served any more, with false when the time is over before. */
  async untilIdle(ms: number): Promise<boolean> {
    return await this.#within(ms, "the drain", (signal) =>
      untilStatus(
        this.#options.source,
        ({ serving: { current, wanted } }) => wanted === undefined && !admits(current.status),
        signal,
      ),
    );
  }

  /**
   * Resolves when the pooler serves what the type stands for, and with why it does not where waiting is of
   * no use, or after 10 s.
   */
  async untilServing(type: PoolerType): Promise<NotReady | undefined> {
    const { source } = this.#options;
    await this.#within(SERVING_TIMEOUT_MS, "the new role", (signal) =>
      untilStatus(
        source,
        (status) => {
          const why = whyNotServing(status, type);
          return why === undefined || !mayPass(why);
        },
        signal,
      ),
    );
    return whyNotServing(source.status(), type);
  }

  /** To be disposed of when the server is back, or should be. */
  expectOutage(): Disposable {
    return this.#options.expectOutage();
  }

  /** Resolves when the server answers and is in that state, and the manager has seen it. */
  async untilRecovery(inRecovery: boolean): Promise<ServerPosition> {
    const { clock, source, checkDatabase } = this.#options;
    using bound = new Deadline({ clock, ms: SERVER_TIMEOUT_MS, what: "PostgreSQL" });
    const { signal } = bound;
    const position = await this.#answered(signal);
    if (position.inRecovery !== inRecovery) {
      throw new ManagerError(
        ManagerErrorCode.Internal,
        `PostgreSQL is ${position.inRecovery ? "" : "not "}in recovery after its change`,
      );
    }
    checkDatabase();
    await untilStatus(
      source,
      ({ database }) => database.reachable && database.inRecovery === inRecovery,
      signal,
    );
    return position;
  }

  /** Names the type in the topology, and resolves when the pooler goes by it. */
  async changeType(type: PoolerType, { signal }: CallOptions = {}): Promise<void> {
    await this.#inTopology(signal, (registration, bound) => registration.changeType(type, bound));
  }

  /**
   * Claims the shard for this server. Resolves with why it may not, and then has changed nothing. Rejects with
   * FAILED_PRECONDITION where the topology does not answer.
   */
  async takeShard(right: ClaimRight): Promise<string | undefined> {
    return await this.#inTopology(undefined, async (registration, bound) => {
      return (await registration.shard.claim(bound.signal, right))?.reason;
    });
  }

  /** What {@link takeShard} would resolve with now: asks the topology, and changes nothing. */
  async whyNotTake(right: ClaimRight, { signal }: CallOptions = {}): Promise<string | undefined> {
    return await this.#inTopology(signal, async (registration, bound) => {
      return (await registration.shard.whyNot(right, bound.signal))?.reason;
    });
  }

  async #inTopology<T>(
    signal: AbortSignal | undefined,
    ask: (registration: Registration, options: CallOptions) => Promise<T>,
  ): Promise<T> {
    const { clock, registration } = this.#options;
    const what = "the topology's answer";
    using bound = new Deadline({ clock, ms: TOPOLOGY_TIMEOUT_MS, what, signal });
    try {
      return await ask(registration(), { signal: bound.signal });
    } catch (error) {
      signal?.throwIfAborted();
      throw error instanceof ManagerError
        ? error
        : new ManagerError(
            ManagerErrorCode.FailedPrecondition,
            `the topology does not take the change: ${messageOf(error)}`,
            { cause: error },
          );
    }
  }

  async #answered(signal: AbortSignal): Promise<ServerPosition> {
    for (;;) {
      try {
        return await this.replication.position({ signal });
      } catch (error) {
        if (signal.aborted) {
          throw error;
        }
        await sleep(this.#options.clock, POLL_MS, signal);
      }
    }
  }

  async #within(
    ms: number,
    what: string,
    wait: (signal: AbortSignal) => Promise<unknown>,
  ): Promise<boolean> {
    using bound = new Deadline({ clock: this.#options.clock, ms, what });
    try {
      await wait(bound.signal);
      return true;
    } catch (error) {
      if (bound.signal.aborted) {
        return false;
      }
      throw error;
    }
  }
}
