import { PoolerErrorCode } from "@multipooler/query-service";
import { systemClock } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { requireRules } from "./databases/database-rules.ts";
import type { StatementObserver } from "./session/statement-observer.ts";
import { MultiPoolerError } from "./error.ts";
import type { Logger } from "./logger.ts";
import type { PoolerEventListener } from "./pooler-event.ts";
import { SESSION_ISOLATIONS } from "./session-isolation.ts";
import type { SessionIsolation } from "./session-isolation.ts";

const DURATIONS = [
  "idleTimeoutMs",
  "inactiveTimeoutMs",
  "maxLifetimeMs",
  "waitTimeoutMs",
  "demandWindowMs",
  "drainGraceMs",
  "inactivityTimeoutMs",
  "unusedDatabaseMs",
  "slowStatementMs",
  "slowWaitMs",
] as const;

/** About 25 days; more is taken for a mistake. */
const MAX_DURATION_MS = 2_147_483_647;

/** Limits that 0 switches off. */
const LIMITS = [
  "maxConnectionsPerUser",
  "maxConnectionsPerDatabase",
  "minConnectionsPerUser",
  "slowTextLength",
  "slowParameterLength",
] as const;

/** Connections are not divided more often. */
const MIN_REBALANCE_INTERVAL_MS = 10;

const COUNTS = [
  "capacity",
  "maxQueueBytes",
  "maxNotificationBytes",
  "sharingDepth",
  "settingsCacheSize",
  "maxStatements",
  "maxSessionStatements",
  "maxSessionStatementBytes",
] as const;

export interface MultiPoolerOptions {
  /** What it serves; a request for another table group or shard is refused. Empty: any. */
  readonly shard: { readonly tableGroup: string; readonly shard: string };
  /** Connections to PostgreSQL at most, from 1; the budget of the database may allow fewer. */
  readonly capacity: number;
  /**
   * The databases that sessions may use beside that of the handle: names, and patterns in which `*`
   * stands for any characters. A template has to be named. Default: none.
   */
  readonly databases?: readonly string[] | undefined;
  /** What belongs to such a database is given up when no session has used it for so long; 0 keeps it. Default: 5 minutes. */
  readonly unusedDatabaseMs?: number | undefined;
  /** Connections that one user may have in all databases; 0, the default: as many as there are. */
  readonly maxConnectionsPerUser?: number | undefined;
  /** Connections that one database may have; 0, the default: as many as there are. */
  readonly maxConnectionsPerDatabase?: number | undefined;
  /**
   * Connections that each user with any is allotted at least in a database, needed or not, up to an
   * equal part; 0, the default: as many as it needs. The others cannot have them.
   */
  readonly minConnectionsPerUser?: number | undefined;
  /**
   * Which part of the connections that it may have a user may hold in reservations at once, 0 to 1; it
   * is one at least. The others are left to its single statements. Default: 1, all of them.
   */
  readonly reservedRatio?: number | undefined;
  /**
   * The connections are divided among users again so often while one of them gets less than it needs,
   * from 10: also the turn of those who are more than the connections. Default: 250 ms.
   */
  readonly rebalanceIntervalMs?: number | undefined;
  /** A connection that was idle for so long is closed; 0 keeps it. Default: 5 minutes. */
  readonly idleTimeoutMs?: number | undefined;
  /**
   * The connections of a user in a database are closed when none of them was used for so long; 0, the
   * default, leaves that to `idleTimeoutMs`.
   */
  readonly inactiveTimeoutMs?: number | undefined;
  /** A connection of about this age is not used again; 0 keeps it. Default: 1 hour. */
  readonly maxLifetimeMs?: number | undefined;
  /**
   * The longest that a query waits for a connection; then it fails with POOL_EXHAUSTED. 0 leaves it
   * to the caller's signal. Default: 30 s.
   */
  readonly waitTimeoutMs?: number | undefined;
  /**
   * What queries that wait for a connection may keep in memory together; beyond it further ones fail
   * with POOL_EXHAUSTED at once. Default: 64 MiB.
   */
  readonly maxQueueBytes?: number | undefined;
  /**
   * What is kept in memory for one subscriber of notifications that takes them too slowly; beyond it
   * the subscription ends with SUBSCRIBER_BEHIND. What several of them wait for is kept once.
   * Default: 16 MiB.
   */
  readonly maxNotificationBytes?: number | undefined;
  /**
   * Short statements of sessions that one connection may have in flight, at most; how many it has
   * adapts to what they take. 1: a connection runs one statement at a time. Default: 64.
   */
  readonly sharingDepth?: number | undefined;
  /**
   * Whether the BEGIN of a session waits for the first statement of its transaction, and takes no
   * connection before. Default: it does.
   */
  readonly holdsBegin?: boolean | undefined;
  /** Prepared statements that a connection keeps, from 1; the oldest are closed. Default: 256. */
  readonly maxStatements?: number | undefined;
  /** Whether what a client has left in a connection is taken away. Default: "strict". */
  readonly sessionIsolation?: SessionIsolation | undefined;
  /** So many different settings of callers are told apart at once, from 1. Default: 1024. */
  readonly settingsCacheSize?: number | undefined;
  /** So many statements a session may have prepared at once, from 1. Default: 10,000. */
  readonly maxSessionStatements?: number | undefined;
  /** So many bytes of text these may have together, from 1. Default: 16 MiB. */
  readonly maxSessionStatementBytes?: number | undefined;
  /**
   * What the queries of a role needed within this time counts when the connections are divided among
   * roles. Default: 30 s.
   */
  readonly demandWindowMs?: number | undefined;
  /**
   * How long running queries have to end when the pooler stops serving; then they are cancelled.
   * 0 waits without bound. Default: 3 s.
   */
  readonly drainGraceMs?: number | undefined;
  /**
   * A reservation in which no statement has run for so long is ended, because its caller may be gone;
   * 0 keeps it. Default: 30 s.
   */
  readonly inactivityTimeoutMs?: number | undefined;
  /** Statements that took so long, their wait for a connection included, are logged; 0, the default: none. */
  readonly slowStatementMs?: number | undefined;
  /** Waits for a connection that took so long are logged; 0, the default: none. */
  readonly slowWaitMs?: number | undefined;
  /** How many characters of a slow statement's text are logged. Default: 1000. */
  readonly slowTextLength?: number | undefined;
  /** How many characters of the value of each of its parameters are logged; 0, the default: none. */
  readonly slowParameterLength?: number | undefined;
  /**
   * Whether `multigres.backend_vpid` says which client each connection serves, on a primary: two writes
   * more for each use of a connection, and no connection is shared then. Default: it does not.
   */
  readonly tracksVirtualPids?: boolean | undefined;
  /** Told of each statement of a session, for traces. Default: nobody is, and that costs nothing. */
  readonly observeStatement?: StatementObserver | undefined;
  /** Gets what seldom happens, for metrics. */
  readonly onEvent?: PoolerEventListener | undefined;
  readonly logger: Logger;
  /** Default: the clock of the machine. */
  readonly clock?: Clock | undefined;
  /** A number from 0 up to, but not including, 1. Default: `Math.random`. */
  readonly random?: (() => number) | undefined;
}

/** The options with every default filled in. */
export type ResolvedOptions = {
  readonly [Name in Exclude<keyof MultiPoolerOptions, "observeStatement">]-?: NonNullable<
    MultiPoolerOptions[Name]
  >;
} & Pick<MultiPoolerOptions, "observeStatement">;

/** @throws INVALID_ARGUMENT for a number or a rule that makes no sense, naming it. */
export function resolveOptions(options: MultiPoolerOptions): ResolvedOptions {
  const resolved: ResolvedOptions = {
    shard: options.shard,
    capacity: options.capacity,
    databases: options.databases ?? [],
    unusedDatabaseMs: options.unusedDatabaseMs ?? 300_000,
    maxConnectionsPerUser: options.maxConnectionsPerUser ?? 0,
    maxConnectionsPerDatabase: options.maxConnectionsPerDatabase ?? 0,
    minConnectionsPerUser: options.minConnectionsPerUser ?? 0,
    reservedRatio: options.reservedRatio ?? 1,
    rebalanceIntervalMs: options.rebalanceIntervalMs ?? 250,
    idleTimeoutMs: options.idleTimeoutMs ?? 300_000,
    inactiveTimeoutMs: options.inactiveTimeoutMs ?? 0,
    maxLifetimeMs: options.maxLifetimeMs ?? 3_600_000,
    waitTimeoutMs: options.waitTimeoutMs ?? 30_000,
    maxQueueBytes: options.maxQueueBytes ?? 67_108_864,
    maxNotificationBytes: options.maxNotificationBytes ?? 16_777_216,
    sharingDepth: options.sharingDepth ?? 64,
    holdsBegin: options.holdsBegin ?? true,
    maxStatements: options.maxStatements ?? 256,
    sessionIsolation: options.sessionIsolation ?? "strict",
    settingsCacheSize: options.settingsCacheSize ?? 1024,
    maxSessionStatements: options.maxSessionStatements ?? 10_000,
    maxSessionStatementBytes: options.maxSessionStatementBytes ?? 16_777_216,
    demandWindowMs: options.demandWindowMs ?? 30_000,
    drainGraceMs: options.drainGraceMs ?? 3000,
    inactivityTimeoutMs: options.inactivityTimeoutMs ?? 30_000,
    slowStatementMs: options.slowStatementMs ?? 0,
    slowWaitMs: options.slowWaitMs ?? 0,
    slowTextLength: options.slowTextLength ?? 1000,
    slowParameterLength: options.slowParameterLength ?? 0,
    tracksVirtualPids: options.tracksVirtualPids ?? false,
    observeStatement: options.observeStatement,
    onEvent: options.onEvent ?? (() => undefined),
    logger: options.logger,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  };
  requireSense(resolved);
  return resolved;
}

function requireSense(resolved: ResolvedOptions): void {
  requireRules(resolved.databases);
  for (const name of COUNTS) {
    if (!Number.isSafeInteger(resolved[name]) || resolved[name] < 1) {
      throw invalid(name, resolved[name], "a whole number from 1");
    }
  }
  if (!SESSION_ISOLATIONS.includes(resolved.sessionIsolation)) {
    const wanted = `one of ${SESSION_ISOLATIONS.join(", ")}`;
    throw invalid("sessionIsolation", resolved.sessionIsolation, wanted);
  }
  for (const name of LIMITS) {
    if (!Number.isSafeInteger(resolved[name]) || resolved[name] < 0) {
      throw invalid(name, resolved[name], "a whole number from 0");
    }
  }
  for (const name of DURATIONS) {
    requireWithin(name, resolved[name], 0, MAX_DURATION_MS);
  }
  const { rebalanceIntervalMs, reservedRatio } = resolved;
  const least = MIN_REBALANCE_INTERVAL_MS;
  requireWithin("rebalanceIntervalMs", rebalanceIntervalMs, least, MAX_DURATION_MS);
  requireWithin("reservedRatio", reservedRatio, 0, 1);
}

function requireWithin(name: string, value: number, min: number, max: number): void {
  const isWithin = value >= min && value <= max;
  if (!isWithin) {
    throw invalid(name, value, `from ${min} to ${max}`);
  }
}

function invalid(name: string, value: number | string, wanted: string): MultiPoolerError {
  return new MultiPoolerError(
    PoolerErrorCode.InvalidArgument,
    `${name} must be ${wanted}, not ${value}`,
  );
}
