import { clientSettings } from "./client-settings.ts";
import { databaseAddressSettings } from "./database-address-settings.ts";
import { databaseTlsSettings } from "./database-tls-settings.ts";
import { grpcTlsSettings } from "./grpc-tls-settings.ts";
import { httpTlsSettings } from "./http-tls-settings.ts";
import { poolSettings } from "./pool-settings.ts";
import { processControlSettings } from "./process-control-settings.ts";
import {
  choice,
  duration,
  identifier,
  integer,
  listenPort,
  ownAddress,
  path,
  secretText,
  settingGroup,
  text,
} from "./setting.ts";
import type { Setting, SettingValues } from "./setting.ts";
import { serviceMap } from "./service-map.ts";
import { telemetrySettings } from "./telemetry-settings.ts";
import { topologySettings } from "./topology-settings.ts";

const identity = settingGroup("Identity", "the pooler is registered under it");
const postgres = settingGroup(
  "PostgreSQL",
  "the pooler stands in front of one PostgreSQL while it runs",
);
const network = settingGroup("Network", "a port that listens keeps its address and limits");
const process = settingGroup("Process");

/**
 * All settings of the program. Where Multigres' multipooler has the same setting, its flag and short
 * environment name are used, so that its operators find what they know, and its default, except where
 * connections are divided: no user is kept from those that are free.
 */
export const settings = {
  cell: identity.required("cell", identifier, {
    default: "zone1",
    env: ["MT_CELL"],
    help: "Cell (zone) of this pooler.",
  }),
  serviceId: identity.optional("service-id", identifier, {
    env: ["MT_SERVICE_ID"],
    help: "Name of this pooler in its cell; if unset, one that --pooler-dir keeps, else a random one.",
  }),
  hostname: identity.optional("hostname", ownAddress, {
    help: "Host name or address at which others reach this machine; its own host name if unset.",
  }),
  database: identity.required("database", text, {
    default: "postgres",
    env: ["POSTGRES_DB"],
    libpq: { keyword: "dbname", variable: "PGDATABASE" },
    help: "Database to serve.",
  }),
  tableGroup: identity.required("table-group", text, {
    default: "default",
    help: "Table group to serve; requests for another one are rejected.",
  }),
  shard: identity.required("shard", text, {
    default: "0-inf",
    help: "Shard to serve; requests for another one are rejected.",
  }),
  initialPoolerType: identity.required(
    "initial-pooler-type",
    choice(["unknown", "primary", "replica"]),
    {
      default: "unknown",
      help:
        "Type to register as while the topology has no record of this pooler. Only a primary accepts writes. " +
        "The first pooler of its shard becomes primary by itself if PostgreSQL is out of recovery.",
    },
  ),
  poolerDir: identity.optional("pooler-dir", path, {
    help: "Directory for state that must survive a restart.",
  }),

  ...databaseAddressSettings,
  pgDataDir: postgres.optional("pg-data-dir", path, {
    env: ["PGDATA"],
    help: "PostgreSQL's data directory, published in the topology; it may be made later.",
  }),
  adminUser: postgres.required("connpool-admin-user", text, {
    default: "postgres",
    env: ["CONNPOOL_ADMIN_USER", "POSTGRES_USER"],
    libpq: { keyword: "user", variable: "PGUSER" },
    help: "Role to connect to PostgreSQL as.",
  }),
  adminPassword: postgres.optional("connpool-admin-password", secretText, {
    env: ["CONNPOOL_ADMIN_PASSWORD", "POSTGRES_PASSWORD"],
    libpq: { keyword: "password", variable: "PGPASSWORD" },
    secret: true,
    reload: true,
    help: "Its password; other users of the machine can read it from a command line.",
  }),
  adminPasswordFile: postgres.optional("connpool-admin-password-file", path, {
    env: ["CONNPOOL_ADMIN_PASSWORD_FILE", "POSTGRES_PASSWORD_FILE"],
    reload: true,
    help: "File with the password, read at each connect; overrides --connpool-admin-password.",
  }),
  pgPassfile: postgres.optional("pg-passfile", path, {
    libpq: { keyword: "passfile", variable: "PGPASSFILE" },
    reload: true,
    help: "Password file of libpq, read at each connect where no password is set; if unset ~/.pgpass.",
  }),
  pgService: postgres.optional("pg-service", text, {
    env: ["PGSERVICE"],
    help: "Service of libpq, whose parameters override the variables of libpq.",
  }),
  pgServiceFile: postgres.optional("pg-service-file", path, {
    env: ["PGSERVICEFILE"],
    help: "File that has it; if unset ~/.pg_service.conf, or pg_service.conf in $PGSYSCONFDIR.",
  }),
  adminConnections: postgres.required("connpool-admin-capacity", integer({ min: 2, max: 100 }), {
    default: "2",
    help: "Connections for the pooler's own statements: logins, checks and cancelling.",
  }),
  replicationConnInfo: postgres.optional("replication-conninfo", secretText, {
    secret: true,
    help:
      "How PostgreSQL, as a standby, logs in to its primary: keywords of libpq, e.g. " +
      "'user=replicator passfile=/etc/pgpass sslmode=require'; no password. Default: the user above, and the pgpass of a pgctld in --pooler-dir.",
  }),
  dialTimeoutMs: postgres.required("connpool-dial-timeout", duration({ min: 1 }), {
    default: "5s",
    libpq: { keyword: "connect_timeout", variable: "PGCONNECT_TIMEOUT", text: secondsOfLibpq },
    help: "Timeout for opening a connection to PostgreSQL.",
  }),
  startTimeoutMs: postgres.required("start-timeout", duration({ min: 0 }), {
    default: "0",
    help: "Exit if PostgreSQL was not reached within this time after the start; 0 waits forever.",
  }),
  heartbeatIntervalMs: postgres.required(
    "heartbeat-interval-milliseconds",
    integer({ min: 100, max: 3_600_000 }, "ms"),
    { default: "1000", help: "Time between two heartbeats of a primary, in milliseconds." },
  ),

  ...processControlSettings,
  ...poolSettings,

  httpPort: network.required("http-port", listenPort, {
    default: "15200",
    help: "HTTP port for probes, load balancers, /metrics, /config and /version; 0 picks a free one.",
  }),
  bindAddress: network.required("bind-address", ownAddress, {
    default: "127.0.0.1",
    help: "Address to listen on for HTTP. Without --http-tls-client-ca-file every client that can connect is answered.",
  }),
  grpcPort: network.required("grpc-port", listenPort, {
    default: "15270",
    help: "gRPC port; 0 picks a free one.",
  }),
  grpcBindAddress: network.required("grpc-bind-address", ownAddress, {
    default: "127.0.0.1",
    help: "Address to listen on for gRPC. Without --grpc-ca every client that can connect can run queries.",
  }),
  grpcMaxConnections: network.optional(
    "grpc-max-connections",
    integer({ min: 1, max: 1_000_000 }),
    {
      reload: true,
      help: "Maximum gRPC connections; if unset, as many as the limit of open files (ulimit -n) allows.",
    },
  ),
  grpcMaxReceivingBytes: network.required(
    "grpc-max-receiving-bytes",
    integer({ min: 16_777_216, max: 17_179_869_184 }, "bytes"),
    {
      default: "67108864",
      reload: true,
      help: "Requests above 64 KiB that may arrive at once; beyond it they are not read from their connections.",
    },
  ),
  grpcReceiveTimeoutMs: network.required("grpc-receive-timeout", duration({ min: 1 }), {
    default: "30s",
    reload: true,
    help: "Maximum time for a request to arrive, from its first byte or its turn to be read.",
  }),
  clientStallTimeoutMs: network.required("client-stall-timeout", duration({ min: 0 }), {
    default: "30m",
    reload: true,
    help:
      "End the call of gRPC, or the connection to --pg-listen-port, whose client reads nothing of an answer " +
      "for this time, so that its connection to PostgreSQL is free; 0 waits for ever.",
  }),
  grpcKeepaliveMs: network.required("grpc-server-keepalive-time", duration({ min: 1 }), {
    default: "10s",
    reload: true,
    help: "Time that a gRPC connection may be silent before its client gets a PING.",
  }),
  grpcKeepaliveTimeoutMs: network.required("grpc-server-keepalive-timeout", duration({ min: 1 }), {
    default: "10s",
    reload: true,
    help: "Time for the answer to it; then the connection is cut.",
  }),
  grpcMaxConnectionAgeMs: network.required("grpc-max-connection-age", duration({ min: 0 }), {
    default: "0",
    reload: true,
    help: "Ask gRPC clients to connect again after this time; 0 never does.",
  }),
  grpcMaxConnectionAgeGraceMs: network.required(
    "grpc-max-connection-age-grace",
    duration({ min: 0 }),
    {
      default: "0",
      reload: true,
      help: "Time for calls on the old connection after that; 0 sets no limit.",
    },
  ),
  healthStalenessMs: network.required("health-stream-staleness-timeout", duration({ min: 0 }), {
    default: "0",
    help: "Time without news after which gateways take the pooler for dead; 0 means 90s.",
  }),
  withheldServices: network.optional("service-map", serviceMap, {
    help:
      "gRPC services: all are on, a dash before the name turns one off, e.g. -grpc-pooler; " +
      "others: grpc-poolermanager, grpc-consensus.",
  }),

  ...grpcTlsSettings,
  ...httpTlsSettings,
  ...databaseTlsSettings,
  ...clientSettings,
  ...topologySettings,
  ...telemetrySettings,

  logLevel: process.required("log-level", choice(["debug", "info", "warn", "error"]), {
    default: "info",
    reload: true,
    help: "Lowest severity to log.",
  }),
  logFormat: process.required("log-format", choice(["auto", "json", "text"]), {
    default: "auto",
    help: "Format of the log's lines: JSON, or text for people; auto is text on a terminal and JSON elsewhere.",
  }),
  logOutput: process.required("log-output", path, {
    default: "stdout",
    help: "stdout, stderr, or a file that the log is appended to.",
  }),
  logSlowStatementsMs: process.required("log-slow-statements", duration({ min: 0 }), {
    default: "0",
    reload: true,
    help: "Log statements that take so long, their wait for a connection included, with who ran them; 0 logs none.",
  }),
  logSlowWaitsMs: process.required("log-slow-waits", duration({ min: 0 }), {
    default: "0",
    reload: true,
    help: "Log waits for a connection that take so long, with who waited; 0 logs none.",
  }),
  logStatementLength: process.required(
    "log-statement-length",
    integer({ min: 0, max: 100_000 }, "characters"),
    {
      default: "1000",
      reload: true,
      help: "How much of a slow statement's text is logged; what is written in it may be data. 0 logs none.",
    },
  ),
  logParameterLength: process.required(
    "log-parameter-length",
    integer({ min: 0, max: 100_000 }, "characters"),
    {
      default: "0",
      reload: true,
      help:
        "How much of the value of each parameter of a slow statement is logged; they are data of users, and " +
        "may be secrets. 0 logs none.",
    },
  ),
  pidFile: process.optional("pid-file", path, {
    help: "File that holds the process id while the pooler runs.",
  }),
  lameduckMs: process.required("lameduck", duration({ min: 0, max: 3_600_000 }), {
    default: "5s",
    reload: true,
    help:
      "Serve on for this time after SIGTERM, not ready any more, so that load balancers look elsewhere: " +
      "at least two of their polls; 0 drains at once, as Ctrl-C does.",
  }),
  onTermTimeoutMs: process.required("onterm-timeout", duration({ min: 1 }), {
    default: "30s",
    reload: true,
    help: "Maximum time for a graceful stop after --lameduck; beyond it the process exits with an error.",
  }),
  onCloseTimeoutMs: process.required("onclose-timeout", duration({ min: 1 }), {
    default: "10s",
    reload: true,
    help: "Maximum time for closing what is left after that, as HTTP and the topology.",
  }),
} as const satisfies Record<string, Setting<unknown>>;

/** Seconds without a unit; 0 and less are without a limit, for which the longest stands. */
function secondsOfLibpq(seconds: string): string {
  if (/^(?:0|-\d+)$/.test(seconds)) {
    return "596h";
  }
  return /^\d+$/.test(seconds) ? `${seconds}s` : seconds;
}

/** The validated value of every setting. */
export type Config = SettingValues<typeof settings>;
