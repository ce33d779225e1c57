import type { SessionIsolation } from "@multipooler/poolerserver";
import { choice, duration, integer, ratio, settingGroup, toggle } from "./setting.ts";
import type { Setting } from "./setting.ts";

const pool = settingGroup("Pool", "the pools are built with it");

// Written out, for the package takes longer to load than a `ctl` command may.
const SESSION_ISOLATIONS = [
  "strict",
  "statements-only",
] as const satisfies readonly SessionIsolation[];

/** The connections to PostgreSQL that serve queries: how many, for how long, and what waits for them. */
export const poolSettings = {
  globalCapacity: pool.required("connpool-global-capacity", integer({ min: 1, max: 10_000 }), {
    default: "100",
    env: ["CONNPOOL_GLOBAL_CAPACITY"],
    reload: true,
    help: "Maximum connections to PostgreSQL that serve queries; PostgreSQL's own limit is never exceeded.",
  }),
  maxConnectionsPerUser: pool.required(
    "connpool-max-connections-per-user",
    integer({ min: 0, max: 10_000 }),
    {
      default: "0",
      reload: true,
      help: "Maximum connections of one user in all databases; 0 sets no limit.",
    },
  ),
  maxConnectionsPerDatabase: pool.required(
    "connpool-max-connections-per-database",
    integer({ min: 0, max: 10_000 }),
    { default: "0", reload: true, help: "Maximum connections of one database; 0 sets no limit." },
  ),
  minConnectionsPerUser: pool.required(
    "connpool-min-capacity-per-user",
    integer({ min: 0, max: 10_000 }),
    {
      default: "0",
      reload: true,
      help: "Connections of one database that are kept for each of its users, up to an equal part.",
    },
  ),
  reservedRatio: pool.required("connpool-reserved-ratio", ratio, {
    default: "1",
    help:
      "Part of a user's connections that reserved ones of gRPC (transactions and the like) may take up, " +
      "one at least; the others are left to single statements.",
  }),
  rebalanceIntervalMs: pool.required("connpool-rebalance-interval", duration({ min: 10 }), {
    default: "250ms",
    help: "Divide the connections among users again so often while one of them gets too few.",
  }),
  idleTimeoutMs: pool.required("connpool-user-regular-idle-timeout", duration({ min: 0 }), {
    default: "5m",
    reload: true,
    help: "Close a connection after it was idle for this time; 0 keeps it.",
  }),
  inactiveTimeoutMs: pool.required("connpool-inactive-timeout", duration({ min: 0 }), {
    default: "0",
    help:
      "Close all connections of a user when none of them was used for this time; " +
      "0 leaves it to --connpool-user-regular-idle-timeout.",
  }),
  maxLifetimeMs: pool.required("connpool-user-regular-max-lifetime", duration({ min: 0 }), {
    default: "1h",
    reload: true,
    help: "Close a connection of this age once it is idle; 0 keeps it.",
  }),
  waitTimeoutMs: pool.required("connpool-wait-timeout", duration({ min: 0 }), {
    default: "30s",
    reload: true,
    help: "Maximum time that a query waits for a connection; 0 leaves it to the caller's deadline.",
  }),
  drainGraceMs: pool.required("connpool-drain-grace-period", duration({ min: 0 }), {
    default: "3s",
    reload: true,
    help: "Time for running work to finish when the pooler stops serving; 0 sets no limit.",
  }),
  inactivityTimeoutMs: pool.required(
    "connpool-user-reserved-inactivity-timeout",
    duration({ min: 0 }),
    {
      default: "30s",
      reload: true,
      help: "End a reserved connection of gRPC in which nothing has run for this time; 0 keeps it.",
    },
  ),
  demandWindowMs: pool.required("connpool-demand-window", duration({ min: 0 }), {
    default: "30s",
    help: "Connections that a user needed within this time count when they are divided among users.",
  }),
  settingsCacheSize: pool.required(
    "connpool-settings-cache-size",
    integer({ min: 1, max: 1_000_000 }),
    { default: "1024", help: "Different session settings of callers that are told apart at once." },
  ),
  sessionIsolation: pool.required("connpool-session-isolation", choice(SESSION_ISOLATIONS), {
    default: "strict",
    help:
      "What a client gets to see of others in its connection: strict takes away what they have left; " +
      "with statements-only nothing is, as in PgBouncer, and only transactions keep a connection.",
  }),
  sharingDepth: pool.required("connpool-sharing-depth", integer({ min: 1, max: 1024 }), {
    default: "64",
    help: "Maximum short reads in flight on one connection; 1 runs one statement at a time.",
  }),
  holdBegin: pool.required("connpool-hold-begin", choice(["on", "off"]), {
    default: "on",
    help:
      "Send the BEGIN of a client with the first statement of its transaction, which saves a round trip " +
      "and takes no connection before; now() is the time of that statement then.",
  }),
  maxQueueBytes: pool.required(
    "connpool-max-queue-bytes",
    integer({ min: 1_048_576, max: 1_073_741_824 }, "bytes"),
    {
      default: "67108864",
      reload: true,
      help: "Statements kept in memory that wait for a connection; beyond it further ones are refused.",
    },
  ),
  maxStatements: pool.required(
    "connpool-max-prepared-statements",
    integer({ min: 1, max: 100_000 }),
    { default: "256", help: "Prepared statements that a connection keeps; the oldest are closed." },
  ),
  tracksVirtualPids: pool.required("backend-vpid-tracking-enabled", toggle, {
    default: "false",
    help:
      "Keep in multigres.backend_vpid which client each connection serves, on a primary. It costs two " +
      "writes for each use of a connection, which no client then shares.",
  }),
  maxNotificationBytes: pool.required(
    "max-notification-bytes",
    integer({ min: 16_384, max: 1_073_741_824 }, "bytes"),
    {
      default: "16777216",
      help: "Notifications (LISTEN) kept for one listener that reads too slowly; beyond it, it is cut off.",
    },
  ),
} as const satisfies Record<string, Setting<unknown>>;
