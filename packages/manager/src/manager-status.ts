import type { DatabaseAddress, ServingState } from "@multipooler/controller-api";
import type { ActionHolder } from "./actions/action-lock.ts";
import type { ManagerError } from "./manager-error.ts";
import type { NotReadyCode } from "./serving/not-ready.ts";
import type { PoolerIdentity, PoolerType, ShardIdentity } from "./record/pooler-type.ts";
import type { Lsn } from "./replication/replication-control.ts";
import type { IntentStatus } from "./serving/operator-intent.ts";
import type { ConsensusTerm } from "./terms/consensus-term.ts";
import type { TransitionRecord } from "./serving/transition-history.ts";

/**
 * Where a manager is in its life.
 *
 * | from     | to       | when                                                                    |
 * | -------- | -------- | ----------------------------------------------------------------------- |
 * | starting | ready    | the controller serves for the first time after `open`                   |
 * | starting | error    | a fault that no retry cures: credentials refused, no such database, a peer that is not PostgreSQL, a registration refused |
 * | any      | starting | `open` was called; `close` is complete                                  |
 *
 * Once ready, nothing is permanent: a database that goes away is retried without an end, and
 * `ManagerStatus.ready` tells whether the pooler serves at the moment.
 */
export type ManagerState =
  | { readonly name: "starting" }
  | { readonly name: "ready" }
  | { readonly name: "error"; readonly error: ManagerError };

/** The database as the manager last saw it. */
export interface DatabaseStatus {
  readonly address: DatabaseAddress;
  readonly database: string;
  /** True when the last attempt to talk to it succeeded, and none waits for its answer for long. */
  readonly reachable: boolean;
  /** What went wrong in that attempt, one line; `undefined` when it is reachable. */
  readonly lastError: string | undefined;
  /** `undefined` when it was never reached. */
  readonly inRecovery: boolean | undefined;
  /** What it calls its version, e.g. "17.6"; `undefined` when it was never reached. */
  readonly serverVersion: string | undefined;
  /** Connections held by every component together. */
  readonly connectionsUsed: number;
  /** Connections that may be held; 0 when it was never reached. */
  readonly connectionsLimit: number;
}

/** The pooler's record in the topology. */
export interface TopologyStatus {
  /** The kind of store, e.g. "memory". */
  readonly implementation: string;
  /**
   * True while the record, as this run wrote it or found it written, and its cell's are known to be
   * in the store; a store that does not answer changes nothing.
   */
  readonly registered: boolean;
  /** Where the type in {@link ManagerStatus.type} comes from. */
  readonly typeSource: "topology" | "local memory" | "none";
  /**
   * The type that was configured, where the pooler has another one: a configured type holds only for a
   * pooler that nobody knows yet. `undefined` where there is no contradiction.
   */
  readonly ignoredType: PoolerType | undefined;
  /** Who takes the writes of the shard, as its record says; `undefined` where nobody does, or it was not read. */
  readonly shardPrimary: ShardLeader | undefined;
  /** Why the last access failed, one line; `undefined` when it succeeded. */
  readonly lastError: string | undefined;
  /** When the record was last written; `undefined` when it never was. */
  readonly lastPublishedAt: Date | undefined;
  /** Since when the store has not answered; `undefined` while it does, or was not asked yet. */
  readonly awaySince: Date | undefined;
}

/** The pooler whose server takes the writes of a shard. */
export interface ShardLeader {
  readonly pooler: PoolerIdentity;
  /** `host:port` of it. */
  readonly address: string;
}

/**
 * The heartbeat through the database: written by a primary, read by a replica.
 * `lagMs` is the age of the last heartbeat that arrived, and 0 for one from the future. It stays as
 * it was at the arrival while no other comes and the standby has replayed all that it received.
 */
export type HeartbeatStatus =
  | { readonly mode: "off" }
  | {
      readonly mode: "writer";
      readonly lastWrittenAt: Date | undefined;
      readonly lastError: string | undefined;
    }
  | {
      readonly mode: "reader";
      readonly lagMs: number | undefined;
      /** How much of what it received a standby has not replayed; `undefined` on another server. */
      readonly behindBytes?: number | undefined;
      readonly lastError: string | undefined;
    };

/** How a primary became a standby. */
export interface DemotionStatus {
  /** Where it is not the current one any more, another primary may have taken writes since. */
  readonly term: bigint;
  /** The end of what it has written; `undefined` while the demotion is not that far. */
  readonly lsn: Lsn | undefined;
}

/** One consistent snapshot of the pooler. */
export interface ManagerStatus {
  readonly state: ManagerState;
  /** True when the pooler serves what its role allows: the answer of the readiness probe. */
  readonly ready: boolean;
  /** Why `ready` is false, one line; `undefined` when it is true. */
  readonly notReadyReason: string | undefined;
  /** The same for programs. */
  readonly notReadyCode: NotReadyCode | undefined;
  /** Since when `ready` is false with that code. */
  readonly notReadySince: Date | undefined;
  readonly pooler: PoolerIdentity;
  readonly shard: ShardIdentity;
  /** The type in the topology record; UNKNOWN when none is known. */
  readonly type: PoolerType;
  /** What the pooler has promised to coordinators. */
  readonly term: ConsensusTerm;
  /** What last changed the role of the server, or is about to, if that is a demotion. */
  readonly demotion: DemotionStatus | undefined;
  /** The verb that changes the server or the term now, and that others wait for. */
  readonly runningAction: ActionHolder | undefined;
  /** The current role and status and, while the controller is not there yet, the wanted ones. */
  readonly serving: ServingState;
  /** What an operator wishes the pooler to serve. */
  readonly intent: IntentStatus;
  /** The last 64 changes of the serving status, oldest first. */
  readonly transitions: readonly TransitionRecord[];
  readonly database: DatabaseStatus;
  readonly topology: TopologyStatus;
  readonly heartbeat: HeartbeatStatus;
  /** When this process started. */
  readonly startedAt: Date;
}
