import type { CallOptions } from "@multipooler/query-service";
import type { ActionLease, ActionLock } from "../actions/action-lock.ts";
import { checkForce } from "../actions/force-reason.ts";
import { REQUIRED_TYPES, requireRecovery, requireType } from "../actions/guardrails.ts";
import type { ReplicationVerb } from "../actions/guardrails.ts";
import type { TermCheck } from "../actions/term-check.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { PoolerType } from "../record/pooler-type.ts";
import { checkLsn } from "./lsn.ts";
import { checkPrimaryAddress } from "./primary-conn-info.ts";
import { failedPrecondition, invalidArgument } from "./replication-fault.ts";
import type {
  FollowRequest,
  Lsn,
  PauseMode,
  PrimaryStatus,
  ReplicationControl,
  ReplicationStatus,
  StandbyUpdate,
  SynchronousReplication,
} from "./replication-control.ts";
import { checkStandbyUpdate, checkSynchronous } from "./synchronous-replication.ts";

/** By which right a caller changes whom a server follows, or waits for. */
export interface TermClaim {
  /** 0: none. */
  readonly term: bigint;
  /** Why the term is not to be looked at, one line for the log; `undefined`: it is. */
  readonly force?: string | undefined;
}

/** What the verbs act on now. */
export interface ReplicationSubject {
  readonly type: PoolerType;
  /** `undefined` for a database that has no replication. */
  readonly replication: ReplicationControl | undefined;
}

export interface ReplicationVerbsOptions {
  /** Throws while the manager is not ready to act. */
  readonly subject: () => ReplicationSubject;
  readonly serviceId: string;
  readonly lock: ActionLock;
  readonly terms: TermCheck;
}

/**
 * What orchestrators and operators do to replication. Each verb checks in this order: that the manager is
 * ready, the action lock, the arguments, the term, the guardrails; then `ReplicationControl` acts. Those that
 * name a term look at their arguments and hear of the term before they wait for the lock.
 *
 * Rejects with a `ManagerError`: NOT_OPEN before the manager is ready, LOCK_NOT_ACQUIRED,
 * INVALID_ARGUMENT, FAILED_PRECONDITION, UNSUPPORTED, TIMED_OUT, and as `ReplicationControl` does.
 */
export class ReplicationVerbs {
  readonly #options: ReplicationVerbsOptions;

  constructor(options: ReplicationVerbsOptions) {
    this.#options = options;
  }

  /** Resolves once the standby has replayed `target`. `timeoutMs` undefined: the signal bounds it. */
  async waitForLsn(
    target: Lsn,
    { timeoutMs, ...options }: CallOptions & { readonly timeoutMs?: number | undefined } = {},
  ): Promise<void> {
    this.#options.subject();
    checkLsn("target_lsn", target);
    if (timeoutMs !== undefined && !(timeoutMs >= 0)) {
      throw invalidArgument(`timeout is ${timeoutMs} ms; it must not be negative`);
    }
    await this.#allowed("WaitForLSN").waitForLsn(target, timeoutMs, options);
  }

  /** Has the standby follow another primary. */
  async setPrimaryConnInfo(
    request: FollowRequest,
    { signal, ...claim }: CallOptions & TermClaim,
  ): Promise<void> {
    this.#options.subject();
    checkPrimaryAddress(request);
    await this.#hear(claim);
    await this.#locked("SetPrimaryConnInfo", { signal }, async (lease) => {
      await this.#requireTerm(claim);
      await this.#allowed("SetPrimaryConnInfo").follow(lease, request, { signal });
    });
  }

  /** Has the standby replay again. */
  async startReplication(options: CallOptions = {}): Promise<void> {
    await this.#locked("StartReplication", options, (lease) =>
      this.#allowed("StartReplication").resumeReplay(lease, options),
    );
  }

  /** `waits` false: answers what is known after the request. */
  async stopReplication(
    mode: PauseMode,
    { waits = true, ...options }: CallOptions & { readonly waits?: boolean | undefined } = {},
  ): Promise<ReplicationStatus> {
    return await this.#locked("StopReplication", options, async (lease) => {
      const control = this.#allowed("StopReplication");
      if (waits && mode !== "replay") {
        await requireEndableReceiver(control, options);
      }
      return await control.pause(lease, mode, waits, options);
    });
  }

  async replicationStatus(options: CallOptions = {}): Promise<ReplicationStatus> {
    return await this.#allowed("ReplicationStatus").replicationStatus(options);
  }

  /** Has the standby follow nobody. Idempotent. */
  async resetReplication(options: CallOptions = {}): Promise<ReplicationStatus> {
    return await this.#locked("ResetReplication", options, async (lease) => {
      const control = this.#allowed("ResetReplication");
      await requireEndableReceiver(control, options);
      return await control.pause(lease, "receiver", true, options);
    });
  }

  /** Says for whom the primary waits at commit, in place of what it did before. */
  async configureSynchronousReplication(
    wanted: SynchronousReplication,
    options: CallOptions = {},
  ): Promise<void> {
    await this.#locked("ConfigureSynchronousReplication", options, async (lease) => {
      checkSynchronous(wanted);
      const control = this.#allowed("ConfigureSynchronousReplication");
      await control.setSynchronous(lease, wanted, options);
    });
  }

  /** Changes for whom the primary waits. It never waits for more standbys than there are. */
  async updateSynchronousStandbyList(
    update: StandbyUpdate,
    { signal, ...claim }: CallOptions & TermClaim,
  ): Promise<void> {
    this.#options.subject();
    checkStandbyUpdate(update);
    await this.#hear(claim);
    await this.#locked("UpdateSynchronousStandbyList", { signal }, async (lease) => {
      await this.#requireTerm(claim);
      const control = this.#allowed("UpdateSynchronousStandbyList");
      await control.updateStandbys(lease, update, { signal });
    });
  }

  async primaryStatus(options: CallOptions = {}): Promise<PrimaryStatus> {
    return await this.#allowed("PrimaryStatus").primaryStatus(options);
  }

  /** What the primary has written so far. */
  async primaryPosition(options: CallOptions = {}): Promise<Lsn> {
    const { inRecovery, lsn } = await this.#allowed("PrimaryPosition").position(options);
    requireRecovery("primary", { inRecovery });
    if (lsn === undefined) {
      throw new ManagerError(ManagerErrorCode.Internal, "a primary without a WAL position");
    }
    return lsn;
  }

  /** Those that the primary waits for, connected or not, and the others that are connected. */
  async getFollowers(
    options: CallOptions = {},
  ): Promise<Pick<PrimaryStatus, "followers" | "synchronous">> {
    return await this.#allowed("GetFollowers").primaryStatus(options);
  }

  async #locked<T>(
    verb: ReplicationVerb,
    { signal }: CallOptions,
    work: (lease: ActionLease) => Promise<T>,
  ): Promise<T> {
    this.#options.subject();
    using lease = await this.#options.lock.acquire(verb, { signal });
    this.#options.subject();
    return await work(lease);
  }

  /** Before the action lock, for which the verb may wait, and behind the arguments: a mistake is no term. */
  async #hear({ term, force }: TermClaim): Promise<void> {
    if (force === undefined) {
      await this.#options.terms.hear(term);
    }
  }

  async #requireTerm({ term, force }: TermClaim): Promise<void> {
    const { terms } = this.#options;
    checkForce(force);
    await terms.require(term, force);
  }

  /** What acts, once the type in the topology allows the verb. It looks at PostgreSQL itself. */
  #allowed(verb: ReplicationVerb): ReplicationControl {
    const { type, replication } = this.#options.subject();
    requireType(REQUIRED_TYPES[verb], { type, serviceId: this.#options.serviceId });
    if (replication === undefined) {
      throw new ManagerError(
        ManagerErrorCode.Unsupported,
        "the database behind this pooler has no replication",
      );
    }
    return replication;
  }
}

/** Nobody is to be told that a receiver has ended which a paused replay keeps alive. */
async function requireEndableReceiver(
  control: ReplicationControl,
  options: CallOptions,
): Promise<void> {
  const { isReplayPaused, walReceiver } = await control.replicationStatus(options);
  if (isReplayPaused && walReceiver !== undefined) {
    throw failedPrecondition(
      "the WAL receiver does not end while the replay is paused: resume it first, or do not wait",
    );
  }
}
