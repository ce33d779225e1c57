import type { CallOptions } from "@multipooler/query-service";
import { Deadline, untilAborted } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import type { ActionLock } from "../actions/action-lock.ts";
import { checkForce } from "../actions/force-reason.ts";
import { messageOf } from "../error-message.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { HeartbeatStatus } from "../manager-status.ts";
import { PoolerType } from "../record/pooler-type.ts";
import type { PoolerIdentity } from "../record/pooler-type.ts";
import type { ReplicationControl, ReplicationStatus } from "../replication/replication-control.ts";
import { poolerComponent, sameComponent } from "./consensus-term.ts";
import type { ComponentId, ConsensusTerm } from "./consensus-term.ts";
import type { Terms } from "./terms.ts";
import { answerOf } from "./wal-answer.ts";
import type { WalAnswer } from "./wal-answer.ts";

export interface ConsensusVerbsOptions {
  readonly terms: Terms;
  readonly lock: ActionLock;
  readonly identity: PoolerIdentity;
  /** The type that the topology names; throws NOT_OPEN while the manager is not ready to act. */
  readonly type: () => PoolerType;
  /** Whether another server has the shard; throws as {@link type} does. */
  readonly hasRival: () => boolean;
  /** `undefined` for a database without replication; throws NOT_OPEN while the manager is closed. */
  readonly replication: () => ReplicationControl | undefined;
  readonly heartbeat: () => HeartbeatStatus;
  /** Who takes the writes, as the topology says; `undefined` where it does not. */
  readonly shardPrimary: () => PoolerIdentity | undefined;
  /** Where other machines reach the server. */
  readonly postgres: () => { readonly host: string; readonly port: number };
  readonly clock: Clock;
}

export interface SetTermOptions extends CallOptions {
  /** Why the term is to be taken as it is given, also a lower one, in one line for the log. */
  readonly force?: string | undefined;
}

/** A candidate asks to lead a term. */
export interface BeginTermRequest {
  readonly term: bigint;
  readonly candidate: ComponentId;
}

export interface BeginTermResult {
  /** The term that holds now. */
  readonly term: bigint;
  readonly accepted: boolean;
}

/** How fit a pooler is to lead. */
export interface ConsensusReport {
  readonly term: ConsensusTerm;
  /** `undefined` where PostgreSQL did not answer. */
  readonly wal: WalAnswer | undefined;
  /** Where other machines reach PostgreSQL; port 0 where that is not known. */
  readonly postgres: { readonly host: string; readonly port: number };
}

/** Who takes the writes, as far as this pooler knows, and how far behind it is. */
export interface LeadershipView {
  readonly leader: ComponentId | undefined;
  readonly leaderTerm: bigint;
  readonly lastHeartbeatAt: Date | undefined;
  readonly lagMs: number | undefined;
}

/** Whether this standby streams from a primary. */
export interface PrimaryReach {
  readonly reachable: boolean;
  /** Why not; empty where it does. */
  readonly problem: string;
}

/** What PostgreSQL may take to answer questions that no verb may hang on. */
const ANSWER_TIMEOUT_MS = 800;
/** A standby whose receiver has not heard from its primary for so long knows too little to vote. */
const SILENCE_MS = 30_000;

/**
 * What coordinators agree on terms with. Rejects with a `ManagerError`: NOT_OPEN, LOCK_NOT_ACQUIRED,
 * INVALID_ARGUMENT, FAILED_PRECONDITION, and as `ReplicationControl` does.
 */
export class ConsensusVerbs {
  readonly #options: ConsensusVerbsOptions;

  constructor(options: ConsensusVerbsOptions) {
    this.#options = options;
  }

  /**
   * Sets the term as `Terms.set` does. Without a leader nobody leads a new one, except that a primary leads
   * the first term of its own, so that a shard can begin to use terms while it serves.
   */
  async setTerm(
    term: ConsensusTerm,
    { force, signal }: SetTermOptions = {},
  ): Promise<ConsensusTerm> {
    const { lock, terms, type, identity } = this.#options;
    checkForce(force);
    type();
    if (!sameComponent(term.leader, poolerComponent(identity))) {
      await terms.hear(term.number);
    }
    using _ = await lock.acquire("SetTerm", { signal });
    const leads = term.leader === undefined && this.#leadsFirst(term.number);
    await terms.set(leads ? { ...term, leader: poolerComponent(identity) } : term, force);
    return terms.current;
  }

  /** Whether it is the first term of a primary: others may have been recruited for each that comes after. */
  #leadsFirst(term: bigint): boolean {
    const { terms, type, hasRival } = this.#options;
    const isFirst = terms.current.number === 0n && term > 0n;
    return isFirst && type() === PoolerType.Primary && !hasRival();
  }

  /** Votes for a candidate, once a term. A newer term is adopted whatever comes of the vote. */
  async beginTerm(
    { term, candidate }: BeginTermRequest,
    { signal }: CallOptions = {},
  ): Promise<BeginTermResult> {
    const { lock, terms, clock } = this.#options;
    checkCandidate(candidate);
    // Before anything that may take its time or fail.
    await terms.hear(term);
    using _ = await lock.acquire("BeginTerm", { signal });
    const { wal, error } = await this.#ask(signal);
    if (wal === undefined) {
      throw unhealthy(error);
    }
    if (!this.#mayAccept(term, candidate)) {
      return { term: terms.current.number, accepted: false };
    }
    await terms.check("at least", term, undefined);
    if (isSilent(wal.standby, clock)) {
      return { term: terms.current.number, accepted: false };
    }
    await terms.accept(candidate, new Date(clock.now()));
    return { term: terms.current.number, accepted: true };
  }

  /** Answers in every state, within a second. */
  async status({ signal }: CallOptions = {}): Promise<ConsensusReport> {
    const { wal } = await this.#ask(signal);
    const { terms, postgres } = this.#options;
    return { term: terms.current, wal, postgres: postgres() };
  }

  /** Reads memory only. Throws FAILED_PRECONDITION while no heartbeat is written or read. */
  leadershipView(): LeadershipView {
    const { terms, identity, heartbeat, shardPrimary, clock } = this.#options;
    const { number: leaderTerm, leader } = terms.current;
    const beat = heartbeat();
    switch (beat.mode) {
      case "off":
        throw new ManagerError(
          ManagerErrorCode.FailedPrecondition,
          "no heartbeat is written or read: the pooler does not serve",
        );
      case "writer":
        return {
          leader: poolerComponent(identity),
          leaderTerm,
          lastHeartbeatAt: beat.lastWrittenAt,
          lagMs: 0,
        };
      case "reader": {
        const { lagMs } = beat;
        const named = shardPrimary();
        const known = leader ?? (named && poolerComponent(named));
        const lastHeartbeatAt = lagMs === undefined ? undefined : new Date(clock.now() - lagMs);
        return { leader: known, leaderTerm, lastHeartbeatAt, lagMs };
      }
    }
  }

  /** Whether the standby streams from that address. A database that does not answer is a "no". */
  async canReachPrimary(
    host: string,
    port: number,
    { signal }: CallOptions = {},
  ): Promise<PrimaryReach> {
    const { wal } = await this.#ask(signal);
    const problem =
      wal === undefined ? "database connection not available" : whyNot(wal, host, port);
    return { reachable: problem === "", problem };
  }

  /** Whether a vote can be given at all: not to a term that is over, nor against an earlier vote. */
  #mayAccept(term: bigint, candidate: ComponentId): boolean {
    const { number, acceptedLeader } = this.#options.terms.current;
    if (term !== number) {
      return term > number;
    }
    return acceptedLeader === undefined || sameComponent(acceptedLeader, candidate);
  }

  async #ask(
    signal: AbortSignal | undefined,
  ): Promise<{ readonly wal: WalAnswer | undefined; readonly error?: unknown }> {
    const { replication, clock } = this.#options;
    const control = replication();
    if (control === undefined) {
      return { wal: undefined, error: new Error("this database has no replication") };
    }
    using bound = new Deadline({ clock, ms: ANSWER_TIMEOUT_MS, what: "PostgreSQL", signal });
    try {
      // A dial that is given up may take another second, for which nobody is to wait.
      return { wal: await untilAborted(answerOf(control, bound.signal), bound.signal) };
    } catch (error) {
      signal?.throwIfAborted();
      return { wal: undefined, error };
    }
  }
}

function checkCandidate({ cell, name }: ComponentId): void {
  if (cell === "" || name === "") {
    throw new ManagerError(
      ManagerErrorCode.InvalidArgument,
      "candidate_id must name a component, a cell and a name",
    );
  }
}

function unhealthy(cause: unknown): ManagerError {
  const code = cause instanceof ManagerError ? cause.code : ManagerErrorCode.DatabaseUnavailable;
  const message = `postgres unhealthy, cannot accept new term: ${messageOf(cause)}`;
  return new ManagerError(code, message, { cause });
}

function isSilent(standby: ReplicationStatus | undefined, clock: Clock): boolean {
  const heardAt = standby?.lastMessageReceivedAt;
  return heardAt !== undefined && clock.now() - heardAt.getTime() > SILENCE_MS;
}

function whyNot({ standby }: WalAnswer, host: string, port: number): string {
  if (standby?.walReceiver === undefined) {
    return "no active WAL receiver";
  }
  if (standby.walReceiver === "stopping") {
    return "WAL receiver is stopping";
  }
  const { primaryConnInfo } = standby;
  if (primaryConnInfo?.host !== host) {
    return `WAL receiver connected to different host: expected ${host}, got ${primaryConnInfo?.host ?? "none"}`;
  }
  if (primaryConnInfo.port !== port) {
    return `WAL receiver connected to different port: expected ${port}, got ${primaryConnInfo.port ?? "none"}`;
  }
  return "";
}
