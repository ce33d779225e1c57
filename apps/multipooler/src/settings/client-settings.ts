import type { ClientCertificateDemand } from "@multipooler/pgwire-services";
import {
  FILE_RELOAD,
  choice,
  duration,
  integer,
  listenPort,
  ownAddress,
  names,
  path,
  settingGroup,
  text,
} from "./setting.ts";
import type { Setting } from "./setting.ts";

const clients = settingGroup(
  "Clients of PostgreSQL's protocol",
  "the port for clients keeps what it was opened with",
);

// Written out, for the package takes longer to load than a `ctl` command may.
const CLIENT_CERTIFICATES = [
  "none",
  "verify-ca",
  "verify-full",
  "cert",
] as const satisfies readonly ClientCertificateDemand[];

/** How psql and drivers reach the pooler. None of them has to do with `--pg-host` and `--pg-port`. */
export const clientSettings = {
  pgListenPort: clients.optional("pg-listen-port", listenPort, {
    help: "Port for psql and drivers; 0 picks a free one. If unset, they are not served.",
  }),
  pgListenAddress: clients.required("pg-listen-address", ownAddress, {
    default: "127.0.0.1",
    help: "Address to listen on for psql and drivers.",
  }),
  pgMaxClients: clients.optional("pg-max-clients", integer({ min: 1, max: 1_000_000 }), {
    reload: true,
    help: "Maximum clients; if unset 1000, or as many as the limit of open files (ulimit -n) allows.",
  }),
  pgMaxClientsPerUser: clients.required(
    "pg-max-clients-per-user",
    integer({ min: 0, max: 1_000_000 }),
    {
      default: "0",
      reload: true,
      help: "Maximum clients that are logged in as one user; 0 sets no limit.",
    },
  ),
  pgMaxClientsPerDatabase: clients.required(
    "pg-max-clients-per-database",
    integer({ min: 0, max: 1_000_000 }),
    { default: "0", reload: true, help: "Maximum clients of one database; 0 sets no limit." },
  ),
  pgDatabases: clients.optional("pg-databases", names, {
    reload: true,
    help:
      "Databases to serve beside --database: names and patterns such as tenant_*, or * for all. " +
      "Templates have to be named.",
  }),
  pgDatabaseIdleTimeoutMs: clients.required("pg-database-idle-timeout", duration({ min: 0 }), {
    default: "5m",
    reload: true,
    help: "Give up such a database, and its connections, when no client has used it for this time; 0 keeps it.",
  }),
  pgAdminDatabase: clients.required("pg-admin-database", text, {
    default: "multipooler",
    help: "Name of the admin console, as a client names a database.",
  }),
  pgAdminUsers: clients.optional("pg-admin-users", names, {
    reload: true,
    help: "Users of the admin console; if unset, the role of --connpool-admin-user.",
  }),
  pgStatsUsers: clients.optional("pg-stats-users", names, {
    reload: true,
    help: "Users of the admin console that may only SHOW.",
  }),
  pgTrustLoopback: clients.required("pg-trust-loopback", choice(["on", "off"]), {
    default: "off",
    reload: true,
    help: "Let clients of this machine in without a password.",
  }),
  pgTlsCertFile: clients.optional("pg-tls-cert-file", path, {
    reload: FILE_RELOAD,
    help: "PEM file with the certificate for clients, read again when it is replaced.",
  }),
  pgTlsKeyFile: clients.optional("pg-tls-key-file", path, {
    reload: FILE_RELOAD,
    help: "PEM file with the key of --pg-tls-cert-file.",
  }),
  pgTlsRequired: clients.required("pg-tls-required", choice(["on", "off"]), {
    default: "off",
    help: "Refuse clients that do not encrypt their connection. Needs --pg-tls-cert-file.",
  }),
  pgTlsClientCaFile: clients.optional("pg-tls-client-ca-file", path, {
    reload: FILE_RELOAD,
    help: "PEM file with the authorities of clients' certificates.",
  }),
  pgTlsClientCert: clients.optional("pg-tls-client-cert", choice(CLIENT_CERTIFICATES), {
    help:
      "Certificate that clients need: verify-ca one of an authority, verify-full one with the name of " +
      "their role, cert the same in place of a password; if unset verify-ca with --pg-tls-client-ca-file.",
  }),
  pgLoginTimeoutMs: clients.required("pg-login-timeout", duration({ min: 1 }), {
    default: "60s",
    reload: true,
    help: "Maximum time from the connection of a client to its first statement.",
  }),
  pgClientIdleTimeoutMs: clients.required("pg-client-idle-timeout", duration({ min: 0 }), {
    default: "0",
    reload: true,
    help: "Disconnect a client that was idle outside a transaction for this time; 0 keeps it.",
  }),
  pgLoginFailureLimit: clients.required(
    "pg-login-failure-limit",
    integer({ min: 0, max: 1_000_000 }),
    {
      default: "20",
      reload: true,
      help:
        "Wrong passwords of one user from one address within --pg-login-failure-window, after which " +
        "it is refused for the rest of that; all users of an address have ten times as many. 0 sets no limit.",
    },
  ),
  pgLoginFailureWindowMs: clients.required("pg-login-failure-window", duration({ min: 1 }), {
    default: "1m",
    reload: true,
    help: "Time in which wrong passwords are counted.",
  }),
  pgTcpKeepaliveMs: clients.required("pg-tcp-keepalive", duration({ min: 0 }), {
    default: "1m",
    help: "Time that a client may be silent before TCP asks whether it is still there; 0 never does.",
  }),
  pgMaxMessageBytes: clients.required(
    "pg-max-message-bytes",
    integer({ min: 1024, max: 1_073_741_823 }, "bytes"),
    { default: "16777216", reload: true, help: "Longest message of a client, e.g. one statement." },
  ),
  pgClientMaxStatements: clients.required(
    "pg-client-max-statements",
    integer({ min: 1, max: 1_000_000 }),
    { default: "10000", help: "Maximum prepared statements of a client." },
  ),
  pgClientMaxStatementBytes: clients.required(
    "pg-client-max-statement-bytes",
    integer({ min: 1, max: 1_073_741_823 }, "bytes"),
    { default: "16777216", help: "Maximum length of their texts together." },
  ),
} as const satisfies Record<string, Setting<unknown>>;
