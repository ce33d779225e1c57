import type { Findings } from "./findings.ts";
import type { IniEntry } from "./ini-file.ts";

/** What becomes of one setting of PgBouncer. */
type Rule = (entry: IniEntry, findings: Findings) => void;

const VALUE =
  (setting: string): Rule =>
  ({ value }, findings) =>
    findings.set(setting, value);

/** Numbers of which 0 means no limit in PgBouncer as here. */
const NUMBER =
  (setting: string): Rule =>
  (entry, findings) => {
    if (/^\d+$/.test(entry.value)) {
      findings.set(setting, entry.value);
    } else {
      findings.note(entry.place, entry.key, `${JSON.stringify(entry.value)} is no number`);
    }
  };

/** PgBouncer's times are in seconds, with a fraction where that is wanted; 0 is for ever. */
const SECONDS =
  (setting: string): Rule =>
  (entry, findings) => {
    const seconds = Number(entry.value);
    if (entry.value === "" || !Number.isFinite(seconds) || seconds < 0) {
      findings.note(entry.place, entry.key, `${JSON.stringify(entry.value)} is no time in seconds`);
    } else {
      findings.set(setting, seconds === 0 ? "0" : `${Math.ceil(seconds * 1000)}ms`);
    }
  };

const NOTE =
  (why: string): Rule =>
  ({ key, place }, findings) =>
    findings.note(place, key, why);

const NOTHING: Rule = () => undefined;
const BY_NEED = NOTE("connections are divided by need within connpool-global-capacity");
const OWN_VERIFIERS = NOTE(
  "passwords are checked against PostgreSQL's own verifiers, in pg_authid",
);
const NO_RESET = NOTE("what a client has left in its connection is cleaned up by itself");

const LISTEN_ADDRESS: Rule = ({ key, value, place }, findings) => {
  const [address = "", ...others] = value.split(",").map((part) => part.trim());
  findings.set("pg-listen-address", address === "*" ? "::" : address);
  if (others.length > 0) {
    findings.note(place, key, `only ${address} is taken over: the pooler listens on one address`);
  }
};

const POOL_MODE: Rule = ({ key, value, place }, findings) => {
  if (value !== "transaction") {
    findings.note(
      place,
      key,
      `${value} has no counterpart: a client holds a connection for as long as it needs the same one`,
    );
  }
};

const AUTH_TYPE: Rule = ({ key, value, place }, findings) => {
  switch (value) {
    case "scram-sha-256":
      return;
    case "cert":
      findings.set("pg-tls-client-cert", "cert");
      return;
    case "trust":
      findings.set("pg-trust-loopback", "on");
      findings.note(place, key, "trust holds for clients of the same machine only");
      return;
    default:
      findings.note(place, key, `${value} has no counterpart: clients log in with SCRAM-SHA-256`);
  }
};

const CLIENT_TLS: Rule = ({ key, value, place }, findings) => {
  switch (value) {
    case "allow":
    case "prefer":
      return;
    case "require":
      findings.set("pg-tls-required", "on");
      return;
    case "verify-ca":
    case "verify-full":
      // PgBouncer compares no name in either. A client without TLS has no certificate to show.
      findings.set("pg-tls-client-cert", "verify-ca");
      return;
    case "disable":
      findings.note(place, key, "TLS is off without pg-tls-cert-file and pg-tls-key-file");
      return;
    default:
      findings.note(place, key, `${JSON.stringify(value)} is no mode of TLS`);
  }
};

const SERVER_TLS: Rule = ({ value }, findings) =>
  findings.set("pg-client-sslmode", value === "allow" ? "prefer" : value);

const PREPARED: Rule = (entry, findings) => {
  if (entry.value === "0") {
    findings.note(entry.place, entry.key, "prepared statements always work");
  } else {
    NUMBER("connpool-max-prepared-statements")(entry, findings);
  }
};

const VERBOSE: Rule = ({ value }, findings) => {
  if (value !== "0") {
    findings.set("log-level", "debug");
  }
};

/** https://www.pgbouncer.org/config.html, by section. */
export const RULES: ReadonlyMap<string, Rule> = new Map(
  Object.entries<Rule>({
    logfile: VALUE("log-output"),
    pidfile: VALUE("pid-file"),
    listen_addr: LISTEN_ADDRESS,
    listen_port: NUMBER("pg-listen-port"),
    unix_socket_dir: NOTE("psql and drivers are served over TCP only"),
    max_client_conn: NUMBER("pg-max-clients"),
    max_db_client_connections: NUMBER("pg-max-clients-per-database"),
    max_user_client_connections: NUMBER("pg-max-clients-per-user"),
    max_db_connections: NUMBER("connpool-max-connections-per-database"),
    max_user_connections: NUMBER("connpool-max-connections-per-user"),
    pool_mode: POOL_MODE,
    min_pool_size: BY_NEED,
    reserve_pool_size: BY_NEED,
    reserve_pool_timeout: BY_NEED,
    server_round_robin: BY_NEED,
    autodb_idle_timeout: SECONDS("pg-database-idle-timeout"),
    ignore_startup_parameters: NOTHING,
    track_extra_parameters: NOTHING,
    max_prepared_statements: PREPARED,
    verbose: VERBOSE,
    admin_users: VALUE("pg-admin-users"),
    stats_users: VALUE("pg-stats-users"),
    auth_type: AUTH_TYPE,
    auth_file: OWN_VERIFIERS,
    auth_user: OWN_VERIFIERS,
    auth_query: OWN_VERIFIERS,
    auth_dbname: OWN_VERIFIERS,
    auth_hba_file: NOTE("rules of addresses are for a firewall"),
    server_reset_query: NO_RESET,
    server_reset_query_always: NO_RESET,
    server_check_delay: NOTE("connections are watched, not asked before each use"),
    server_check_query: NOTE("connections are watched, not asked before each use"),
    server_lifetime: SECONDS("connpool-user-regular-max-lifetime"),
    server_idle_timeout: SECONDS("connpool-user-regular-idle-timeout"),
    server_connect_timeout: SECONDS("connpool-dial-timeout"),
    client_login_timeout: SECONDS("pg-login-timeout"),
    client_idle_timeout: SECONDS("pg-client-idle-timeout"),
    query_wait_timeout: SECONDS("connpool-wait-timeout"),
    query_timeout: NOTE("use statement_timeout in PostgreSQL, which ALTER ROLE … SET gives a role"),
    idle_transaction_timeout: NOTE(
      "use idle_in_transaction_session_timeout in PostgreSQL, which ALTER ROLE … SET gives a role",
    ),
    transaction_timeout: NOTE(
      "use transaction_timeout in PostgreSQL 17, which ALTER ROLE … SET gives a role",
    ),
    client_tls_sslmode: CLIENT_TLS,
    client_tls_key_file: VALUE("pg-tls-key-file"),
    client_tls_cert_file: VALUE("pg-tls-cert-file"),
    client_tls_ca_file: VALUE("pg-tls-client-ca-file"),
    server_tls_sslmode: SERVER_TLS,
    server_tls_ca_file: VALUE("pg-client-sslrootcert"),
    server_tls_key_file: VALUE("pg-client-sslkey"),
    server_tls_cert_file: VALUE("pg-client-sslcert"),
    tcp_keepidle: SECONDS("pg-tcp-keepalive"),
    max_packet_size: NOTE("the limit is pg-max-message-bytes"),
    so_reuseport: NOTE("one process serves all clients"),
    peer_id: NOTE("one process serves all clients"),
    user: NOTE("the pooler is started as the user that it runs as"),
  }),
);
