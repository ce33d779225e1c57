import type { CallOptions } from "@multipooler/query-service";
import type { ActionLease } from "../actions/action-lock.ts";
import type { PoolerIdentity } from "../record/pooler-type.ts";

/** A WAL position as PostgreSQL writes it, `XXXXXXXX/XXXXXXXX` in hexadecimal without padding. */
export type Lsn = string;

/** Where a server is in the history of its cluster. */
export interface ServerPosition {
  readonly inRecovery: boolean;
  /** What was written on a primary, what was replayed in recovery; `undefined` where nothing was yet. */
  readonly lsn: Lsn | undefined;
  readonly timeline: number;
  /** Of the cluster, as `pg_controldata` tells it. */
  readonly systemIdentifier: bigint;
}

/** The main process of a server: no two of a machine have both in common. */
export interface MainProcess {
  readonly pid: number;
  /** To the second. */
  readonly startedAt: Date;
}

/** Whom a standby follows, as its `primary_conninfo` says. */
export interface PrimaryConnInfo {
  readonly host: string;
  readonly port: number | undefined;
  readonly user: string;
  readonly applicationName: string;
  /** As configured, without the password. */
  readonly raw: string;
}

/** Answer of a standby; every field as PostgreSQL says it, `undefined` for its NULL. */
export interface ReplicationStatus {
  readonly lastReplayLsn: Lsn | undefined;
  readonly lastReceiveLsn: Lsn | undefined;
  readonly isReplayPaused: boolean;
  /** "not paused", "pause requested" or "paused". */
  readonly pauseState: string;
  readonly lastXactReplayTimestamp: Date | undefined;
  /** `undefined` where the standby follows nobody. */
  readonly primaryConnInfo: PrimaryConnInfo | undefined;
  /** `status` of pg_stat_wal_receiver; `undefined` where no receiver runs. */
  readonly walReceiver: string | undefined;
  /** When the receiver last heard from the primary; absent where none runs, or it cannot be seen. */
  readonly lastMessageReceivedAt?: Date | undefined;
}

/** What a standby is told to stop. */
export type PauseMode = "replay" | "receiver" | "replay and receiver";

/** `synchronous_commit`. */
export type SynchronousCommit = "off" | "local" | "remote_write" | "on" | "remote_apply";

/** How a primary waits for its standbys. Without standbys it waits for none. */
export interface SynchronousReplication {
  readonly commit: SynchronousCommit;
  readonly method: "first" | "any";
  readonly count: number;
  readonly standbys: readonly PoolerIdentity[];
}

/** A change of the standbys that a primary waits for. */
export interface StandbyUpdate {
  readonly operation: "add" | "remove" | "replace";
  readonly standbys: readonly PoolerIdentity[];
}

/** A row of pg_stat_replication; what only a superuser may see is "" or `undefined` to others. */
export interface ReplicationStats {
  readonly processId: number;
  readonly clientAddress: string | undefined;
  readonly state: string;
  readonly syncState: string;
  readonly sentLsn: Lsn | undefined;
  readonly writeLsn: Lsn | undefined;
  readonly flushLsn: Lsn | undefined;
  readonly replayLsn: Lsn | undefined;
  readonly writeLagMs: number | undefined;
  readonly flushLagMs: number | undefined;
  readonly replayLagMs: number | undefined;
}

/** A standby that a primary is configured to wait for, or that is connected; no backup, no subscriber. */
export interface Follower {
  readonly applicationName: string;
  /** `undefined` where the name is not one of a pooler. */
  readonly pooler: PoolerIdentity | undefined;
  readonly stats: ReplicationStats | undefined;
}

/** Answer of a primary. */
export interface PrimaryStatus {
  readonly lsn: Lsn;
  readonly followers: readonly Follower[];
  /** `undefined` where `synchronous_standby_names` is empty or not of the form that poolers write. */
  readonly synchronous: SynchronousReplication | undefined;
}

/** Whom a standby is to follow. */
export interface FollowRequest {
  readonly host: string;
  readonly port: number;
  readonly pausesReplayBefore?: boolean | undefined;
  readonly resumesReplayAfter?: boolean | undefined;
}

/**
 * Replication and roles of one database server. Each call uses a short connection of its own, so that
 * it works in every state of the `ManagedDatabase`, also while that is at rest; every statement is
 * bounded. What changes something takes the lease of the action lock; a statement that does runs to its
 * end when the signal aborts. Nothing here knows types, terms or the topology: guardrails are the caller's.
 *
 * Rejects with a `ManagerError`: INVALID_ARGUMENT, FAILED_PRECONDITION for the wrong physical state,
 * TIMED_OUT where a wait ran out, and as `ManagedDatabase.check` does.
 */
export interface ReplicationControl {
  position(options?: CallOptions): Promise<ServerPosition>;
  /** `undefined` where PostgreSQL does not tell this role. */
  mainProcess(options?: CallOptions): Promise<MainProcess | undefined>;
  replicationStatus(options?: CallOptions): Promise<ReplicationStatus>;
  primaryStatus(options?: CallOptions): Promise<PrimaryStatus>;
  /** Resolves once the standby has replayed `target`. `timeoutMs` undefined: the signal alone bounds it. */
  waitForLsn(target: Lsn, timeoutMs: number | undefined, options?: CallOptions): Promise<void>;

  follow(lease: ActionLease, request: FollowRequest, options?: CallOptions): Promise<void>;
  resumeReplay(lease: ActionLease, options?: CallOptions): Promise<void>;
  /**
   * `waits` false: answers what is known after the request. A receiver that an earlier pause of the replay
   * keeps alive is not waited for; it ends when that is resumed, or with the promotion.
   */
  pause(
    lease: ActionLease,
    mode: PauseMode,
    waits: boolean,
    options?: CallOptions,
  ): Promise<ReplicationStatus>;
  /** Has the server follow nobody, in recovery and when it is a standby the next time. */
  forgetPrimary(lease: ActionLease, options?: CallOptions): Promise<void>;
  setSynchronous(
    lease: ActionLease,
    /** `undefined`: waits for no standby, once it is a primary. A standby takes nothing else. */
    wanted: SynchronousReplication | undefined,
    options?: CallOptions,
  ): Promise<void>;
  updateStandbys(lease: ActionLease, update: StandbyUpdate, options?: CallOptions): Promise<void>;
  /** Ends recovery and resolves when it is over; nothing to do on a primary. */
  promote(lease: ActionLease, options?: CallOptions): Promise<void>;
  /** Ends every session of a client; resolves with their number when they are gone. */
  terminateClients(lease: ActionLease, options?: CallOptions): Promise<number>;
}
