import {
  choice,
  duration,
  identifier,
  integer,
  listenPort,
  path,
  port,
  secretText,
  settingGroup,
  text,
} from "./setting.ts";
import type { Setting, SettingValues } from "./setting.ts";
import { topologySettings } from "./topology-settings.ts";

const identity = settingGroup("Identity");
const postgres = settingGroup("PostgreSQL");
const pool = settingGroup("Pool");
const network = settingGroup("Network");
const process = settingGroup("Process");

/**
 * Every setting of the program. Flags, defaults and the shorter environment names are those of
 * Multigres' multipooler wherever it has the setting, so that its operators find what they know.
 */
export const settings = {
  cell: identity.required("cell", identifier, {
    default: "zone1",
    env: ["MT_CELL"],
    help: "Cell (zone) that this pooler is in.",
  }),
  serviceId: identity.optional("service-id", identifier, {
    env: ["MT_SERVICE_ID"],
    help: "Name of this pooler within its cell, kept over restarts; random if unset.",
  }),
  hostname: identity.optional("hostname", text, {
    help: "Name under which peers reach this machine; the machine's own name if unset.",
  }),
  database: identity.required("database", text, {
    default: "postgres",
    env: ["POSTGRES_DB"],
    help: "Database that is served.",
  }),
  tableGroup: identity.required("table-group", text, {
    default: "default",
    help: "Table group that is served; requests for another one are refused.",
  }),
  shard: identity.required("shard", text, {
    default: "0-inf",
    help: "Shard that is served; requests for another one are refused.",
  }),
  initialPoolerType: identity.required(
    "initial-pooler-type",
    choice(["unknown", "primary", "replica"]),
    {
      default: "unknown",
      help: "Type to register with where the topology has no record of this pooler yet. Only a primary takes writes.",
    },
  ),
  poolerDir: identity.optional("pooler-dir", path, {
    help: "Directory for what this pooler must remember over restarts.",
  }),

  socketFile: postgres.optional("socket-file", path, {
    help: "PostgreSQL's unix socket, e.g. /run/postgresql/.s.PGSQL.5432; wins over --pg-host.",
  }),
  pgHost: postgres.required("pg-host", text, {
    default: "127.0.0.1",
    env: ["PGHOST"],
    help: "Host on which PostgreSQL listens.",
  }),
  pgPort: postgres.required("pg-port", port, {
    default: "5432",
    env: ["PGPORT"],
    help: "Port on which PostgreSQL listens.",
  }),
  pgDataDir: postgres.optional("pg-data-dir", path, {
    env: ["PGDATA"],
    help: "PostgreSQL's data directory, published in the topology.",
  }),
  adminUser: postgres.required("connpool-admin-user", text, {
    default: "postgres",
    env: ["CONNPOOL_ADMIN_USER", "POSTGRES_USER"],
    help: "Role that the pooler connects as.",
  }),
  adminPassword: postgres.optional("connpool-admin-password", secretText, {
    env: ["CONNPOOL_ADMIN_PASSWORD"],
    secret: true,
    help: "Its password; other users of the machine can read it from a command line.",
  }),
  adminPasswordFile: postgres.optional("connpool-admin-password-file", path, {
    env: ["CONNPOOL_ADMIN_PASSWORD_FILE", "POSTGRES_PASSWORD_FILE"],
    help: "File that holds the password, read at each connect; wins over --connpool-admin-password.",
  }),
  dialTimeoutMs: postgres.required("connpool-dial-timeout", duration({ min: 1 }), {
    default: "5s",
    help: "Longest time that opening one connection may take.",
  }),
  startTimeoutMs: postgres.required("start-timeout", duration({ min: 0 }), {
    default: "0",
    help: "Exit if PostgreSQL was not reached within this time after the start; 0 waits for ever.",
  }),
  heartbeatIntervalMs: postgres.required(
    "heartbeat-interval-milliseconds",
    integer({ min: 100, max: 3_600_000 }, "ms"),
    { default: "1000", help: "Time between two heartbeats of a primary, in milliseconds." },
  ),

  globalCapacity: pool.required("connpool-global-capacity", integer({ min: 1, max: 10_000 }), {
    default: "100",
    env: ["CONNPOOL_GLOBAL_CAPACITY"],
    help: "Connections to PostgreSQL that serve queries; PostgreSQL's own limit is never exceeded.",
  }),
  idleTimeoutMs: pool.required("connpool-user-regular-idle-timeout", duration({ min: 0 }), {
    default: "5m",
    help: "Close a connection that was idle this long; 0 keeps it.",
  }),
  maxLifetimeMs: pool.required("connpool-user-regular-max-lifetime", duration({ min: 0 }), {
    default: "1h",
    help: "Close a connection of this age once it is idle; 0 keeps it.",
  }),
  waitTimeoutMs: pool.required("connpool-wait-timeout", duration({ min: 0 }), {
    default: "30s",
    help: "Longest time that a query waits for a connection; 0 leaves it to the caller's deadline.",
  }),
  drainGraceMs: pool.required("connpool-drain-grace-period", duration({ min: 0 }), {
    default: "3s",
    help: "Time that running work has when the pooler stops serving; 0 waits without bound.",
  }),

  httpPort: network.required("http-port", listenPort, {
    default: "15200",
    help: "Port for /live, /ready and /version; 0 takes a free one.",
  }),
  bindAddress: network.required("bind-address", text, {
    default: "127.0.0.1",
    help: "Address that HTTP listens on.",
  }),
  grpcPort: network.required("grpc-port", listenPort, {
    default: "15270",
    help: "Port for gRPC; 0 takes a free one.",
  }),
  grpcBindAddress: network.required("grpc-bind-address", text, {
    default: "127.0.0.1",
    help: "Address that gRPC listens on. Whoever reaches it can run queries.",
  }),
  grpcMaxConnections: network.optional(
    "grpc-max-connections",
    integer({ min: 1, max: 1_000_000 }),
    {
      help: "Most gRPC connections at once; unset, what the limit of open files (ulimit -n) allows.",
    },
  ),

  ...topologySettings,

  logLevel: process.required("log-level", choice(["debug", "info", "warn", "error"]), {
    default: "info",
    help: "Least severity that is logged.",
  }),
  onTermTimeoutMs: process.required("onterm-timeout", duration({ min: 1 }), {
    default: "30s",
    help: "Longest time for a graceful stop; after it the process ends with an error.",
  }),
} as const satisfies Record<string, Setting<unknown>>;

/** The checked value of every setting. */
export type Config = SettingValues<typeof settings>;
