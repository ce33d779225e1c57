import type { ConnectionShare } from "@multipooler/controller-api";
import type { Clock } from "@multipooler/timing";
import type { MultiPoolerError } from "../error.ts";
import type { SlowLog } from "../execution/slow-log.ts";
import type { Logger } from "../logger.ts";
import type { PoolerEventListener } from "../pooler-event.ts";
import type { LimitedOwner } from "../postgres-error.ts";
import type { SessionIsolation } from "../session-isolation.ts";
import type { ActivityTotals } from "./activity-totals.ts";
import type { OpenBackend } from "./backend.ts";
import type { DialLimit } from "./dial-limit.ts";
import type { PoolerTime } from "./server-time.ts";
import type { ServerProcesses } from "./silence-watch.ts";

/** How many sessions a pool holds, for how long, and who waits for them how long. */
export interface SchedulerOptions {
  readonly openBackend: OpenBackend;
  /** The role of the sessions, for people. */
  readonly user: string;
  /** How many users share the capacity. */
  readonly users: () => number;
  /** The pool has no session, and nobody waits for one. */
  readonly onUnused?: (() => void) | undefined;
  /** A unit has to wait. */
  readonly onWaiting?: (() => void) | undefined;
  /** The pool has no session. */
  readonly onVacant?: (() => void) | undefined;
  /** Sessions this pool may hold at once; the share may allow fewer. */
  readonly capacity: number;
  readonly share: ConnectionShare;
  /**
   * Whether a connection of the role, or of the database, may come free where PostgreSQL limits
   * these. Default: only one of this pool.
   */
  readonly mayComeFree?: ((whose: LimitedOwner) => boolean) | undefined;
  /** Dials to the server, with those of other pools. Default: one of its own. */
  readonly dials?: DialLimit | undefined;
  /** What a pool wanted within this time counts when the capacity is divided among users. */
  readonly demandWindowMs: number;
  /** Which part of the sessions reservations may hold at once; default 1: all. */
  readonly reservedRatio?: number | undefined;
  /** When none of its sessions was used for so long, they are closed; 0, the default, keeps them. */
  readonly inactiveTimeoutMs?: number | undefined;
  /** A session that was idle for so long is closed; 0 keeps it. */
  readonly idleTimeoutMs: number;
  /** A session of this age is closed when it would be used again; 0 keeps it. */
  readonly maxLifetimeMs: number;
  /** The longest that a unit waits; 0: without limit. */
  readonly waitTimeoutMs: number;
  /** What waiting units keep in memory together at most. */
  readonly maxQueueBytes: number;
  /** Shareable units that one session may have in flight at most; 1 switches sharing off. */
  readonly sharingDepth: number;
  /** Default: "strict". */
  readonly sessionIsolation?: SessionIsolation | undefined;
  /** Prepared statements that one session keeps; see `HeldStatements`. */
  readonly maxStatements?: number | undefined;
  /** How long `close` waits for sessions that are lent before it cuts them. */
  readonly closeGraceMs: number;
  /** Where what the sessions do is added up. */
  readonly totals: ActivityTotals;
  /** Told of each wait for a session. */
  readonly slow?: Pick<SlowLog, "waited"> | undefined;
  /** Gets what seldom happens, for metrics. */
  readonly onEvent?: PoolerEventListener | undefined;
  /** Asked about the processes behind silent sessions. */
  readonly processes: ServerProcesses;
  /** Told of each connection that was lost and of each dial that was refused. */
  readonly suspect: (cause: MultiPoolerError) => void;
  readonly clock: Clock;
  /** What the pooler does itself. Default: the time of this process. */
  readonly poolerTime?: PoolerTime | undefined;
  /** A number from 0 up to, but not including, 1. */
  readonly random: () => number;
  readonly logger: Logger;
}
