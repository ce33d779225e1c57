import type { DatabaseAddress, DatabaseHandle, PoolerRole } from "@multipooler/controller-api";
import type { CallOptions } from "@multipooler/query-service";
import type { Clock } from "@multipooler/timing";
import type { ClusterPosition } from "./cluster-position.ts";
import type { Logger } from "../logger.ts";
import type { ManagerError } from "../manager-error.ts";
import type { HeartbeatStatus } from "../manager-status.ts";
import type { ReplicationControl } from "../replication/replication-control.ts";

/** What a database says of itself. */
export interface DatabaseFacts {
  readonly inRecovery: boolean;
  /** E.g. "17.6". */
  readonly serverVersion: string;
  /**
   * Tells the server from every other one, until it is started again; `undefined` where nothing does.
   * Poolers of one server may serve as primaries side by side.
   */
  readonly server?: string | undefined;
  /** Where the server is, e.g. "127.0.0.1:5432": the same after it was started again. */
  readonly place?: string | undefined;
  /** `undefined` for a database that is no member of a cluster. */
  readonly cluster?: ClusterPosition | undefined;
}

/** The manager as a {@link ManagedDatabase} sees it, for one run. */
export interface DatabaseContext {
  /** `<cell>_<name>`: how the pooler names itself inside the database. */
  readonly poolerName: string;
  readonly heartbeatIntervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Something looks wrong: the manager calls `check` at once. */
  readonly suspect: () => void;
  /**
   * Another address was configured: what `check` answered before holds no more, and nothing is to be
   * served until it answers again. `fault` says so of the server that was there.
   */
  readonly onMoved: (fault: ManagerError) => void;
  /** What `status` returns has changed, times of the heartbeat and counts aside. */
  readonly onChange: () => void;
}

/** What the manager shows of a database. */
export interface ManagedDatabaseStatus {
  /** Connections held by all components together, the manager's own included. */
  readonly connectionsUsed: number;
  /** Connections that may be held; 0 where no server was reached. */
  readonly connectionsLimit: number;
  readonly heartbeat: HeartbeatStatus;
  /**
   * Why the database takes no new connection although those that are open still work, e.g. since a
   * password was changed. The pooler serves on, and is not ready.
   */
  readonly refusal: ManagerError | undefined;
  /**
   * Why a primary does not complete what is written to it, one line that says since when and what it
   * waits for. The pooler serves on, and is not ready.
   */
  readonly writeFault?: string | undefined;
}

/** A database that a manager can be built over: PostgreSQL, another one, or one in memory. */
export interface DatabaseProvider {
  /** Where it is, as configured. For status and log. */
  readonly address: DatabaseAddress;
  readonly database: string;
  /** The longest that a check may take that has to connect first. */
  readonly connectTimeoutMs: number;
  /** Begins one run of the manager. Does no I/O. */
  open(context: DatabaseContext): ManagedDatabase;
}

/**
 * All that the manager does with its database, from one `open` of the manager to its `close`. The
 * manager itself knows no SQL and opens no connection.
 *
 * | state   | from                | holds                                                     |
 * | ------- | ------------------- | --------------------------------------------------------- |
 * | at rest | the start, `letGo`  | no connection between two checks                          |
 * | serving | `serve`             | what the role needs, on one server                        |
 * | closed  | `close`             | nothing                                                   |
 *
 * `check` is called about once a second in both states and may overlap with the other calls, which
 * come one at a time. Every member rejects with a `ManagerError`: DATABASE_LEAVING takes effect at
 * once, every other code where it repeats.
 */
export interface ManagedDatabase {
  /**
   * Asks the database what it is, connecting first where that is needed. Rejects with
   * DATABASE_LEAVING while serving on a server that is going away or that the address no longer
   * means, until `letGo`. Ends soon after an abort, and by itself after the limits of its dials.
   */
  check(options?: CallOptions): Promise<DatabaseFacts>;

  /**
   * Makes the server that the last `check` found ready for a role, schema and heartbeat included.
   * Resolves with what the controller serves from: the same object until `letGo`, another one
   * afterwards. Idempotent; another role replaces the one before.
   */
  serve(role: PoolerRole, options?: CallOptions): Promise<DatabaseHandle>;

  /** Ends what goes with the role, the heartbeat; the server stays. Idempotent. */
  retire(): Promise<void>;

  /**
   * Ends every connection of the manager's own, so that the server can stop, and the database be
   * renamed, dropped or copied. The handle is void from here on. Idempotent.
   */
  letGo(): Promise<void>;

  /** Replication and promotion; `undefined` for a database that has neither. */
  readonly replication?: ReplicationControl | undefined;

  /** Reads memory only; never blocks. */
  status(): ManagedDatabaseStatus;

  /** Ends everything; resolves when no socket and no timer is left. Idempotent. */
  close(): Promise<void>;
}
