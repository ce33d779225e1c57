import type { Findings } from "./findings.ts";
import type { IniEntry } from "./ini-file.ts";

/** What becomes of one setting of PgBouncer. */
type Rule = (entry: IniEntry, findings: Findings) => void;

const takeValue =
  (setting: string): Rule =>
  (entry, findings) =>
    findings.take(entry, setting, entry.value);

/** Numbers of which 0 means no limit in PgBouncer as here. */
const takeNumber =
  (setting: string): Rule =>
  (entry, findings) => {
    if (/^\d+$/.test(entry.value)) {
      findings.take(entry, setting, entry.value);
    } else {
      findings.note(entry.place, entry.key, `${JSON.stringify(entry.value)} is no number`);
    }
  };

/** PgBouncer's times are in seconds, with a fraction where that is wanted; 0 is for ever. */
const takeSeconds =
  (setting: string): Rule =>
  (entry, findings) => {
    const seconds = Number(entry.value);
    if (entry.value === "" || !Number.isFinite(seconds) || seconds < 0) {
      findings.note(entry.place, entry.key, `${JSON.stringify(entry.value)} is no time in seconds`);
    } else {
      findings.take(entry, setting, seconds === 0 ? "0" : `${Math.ceil(seconds * 1000)}ms`);
    }
  };

/** 0 means there that a connection is used once, and here that it is kept for ever. */
const takeLifetime: Rule = (entry, findings) => {
  if (Number(entry.value) === 0) {
    findings.note(
      entry.place,
      entry.key,
      "connections are not closed after each use: what a client leaves in one is cleaned up by itself",
    );
  } else {
    takeSeconds("connpool-user-regular-max-lifetime")(entry, findings);
  }
};

const noteThat =
  (why: string): Rule =>
  ({ key, place }, findings) =>
    findings.note(place, key, why);

const takeNothing: Rule = () => undefined;
const dividedByNeed = noteThat("connections are divided by need within connpool-global-capacity");
const ownVerifiers = noteThat(
  "passwords are checked against PostgreSQL's own verifiers, in pg_authid",
);
const noReset = noteThat("what a client has left in its connection is cleaned up by itself");

const takeListenAddress: Rule = (entry, findings) => {
  const { key, value, place } = entry;
  const [address = "", ...others] = value.split(",").map((part) => part.trim());
  if (address === "") {
    findings.note(place, key, "psql and drivers are served over TCP only");
    return;
  }
  findings.take(entry, "pg-listen-address", address === "*" ? "::" : address);
  if (others.length > 0) {
    findings.note(place, key, `only ${address} is taken over: the pooler listens on one address`);
  }
};

const takePoolMode: Rule = ({ key, value, place }, findings) => {
  if (value !== "transaction") {
    findings.note(
      place,
      key,
      `${value} has no counterpart: a client holds a connection for as long as it needs the same one`,
    );
  }
};

const takeAuthType: Rule = ({ key, value, place }, findings) => {
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

const takeClientTls: Rule = ({ key, value, place }, findings) => {
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

const takeServerTls: Rule = (entry, findings) =>
  findings.take(entry, "pg-client-sslmode", entry.value === "allow" ? "prefer" : entry.value);

const takePrepared: Rule = (entry, findings) => {
  if (entry.value === "0") {
    findings.note(entry.place, entry.key, "prepared statements always work");
  } else {
    takeNumber("connpool-max-prepared-statements")(entry, findings);
  }
};

const takeVerbose: Rule = ({ value }, findings) => {
  if (value !== "0") {
    findings.set("log-level", "debug");
  }
};

/** https://www.pgbouncer.org/config.html, by section. */
export const RULES: ReadonlyMap<string, Rule> = new Map(
  Object.entries<Rule>({
    logfile: takeValue("log-output"),
    pidfile: takeValue("pid-file"),
    listen_addr: takeListenAddress,
    listen_port: takeNumber("pg-listen-port"),
    // The databases without a host are there, too: `importDatabases`.
    unix_socket_dir: noteThat("psql and drivers are served over TCP only"),
    max_client_conn: takeNumber("pg-max-clients"),
    max_db_client_connections: takeNumber("pg-max-clients-per-database"),
    max_user_client_connections: takeNumber("pg-max-clients-per-user"),
    max_db_connections: takeNumber("connpool-max-connections-per-database"),
    max_user_connections: takeNumber("connpool-max-connections-per-user"),
    pool_mode: takePoolMode,
    min_pool_size: dividedByNeed,
    reserve_pool_size: dividedByNeed,
    reserve_pool_timeout: dividedByNeed,
    server_round_robin: dividedByNeed,
    autodb_idle_timeout: takeSeconds("pg-database-idle-timeout"),
    ignore_startup_parameters: takeNothing,
    track_extra_parameters: takeNothing,
    max_prepared_statements: takePrepared,
    verbose: takeVerbose,
    admin_users: takeValue("pg-admin-users"),
    stats_users: takeValue("pg-stats-users"),
    auth_type: takeAuthType,
    auth_file: ownVerifiers,
    auth_user: ownVerifiers,
    auth_query: ownVerifiers,
    auth_dbname: ownVerifiers,
    auth_hba_file: noteThat("rules of addresses are for a firewall"),
    server_reset_query: noReset,
    server_reset_query_always: noReset,
    server_check_delay: noteThat("connections are watched, not asked before each use"),
    server_check_query: noteThat("connections are watched, not asked before each use"),
    server_lifetime: takeLifetime,
    server_idle_timeout: takeSeconds("connpool-user-regular-idle-timeout"),
    server_connect_timeout: takeSeconds("connpool-dial-timeout"),
    client_login_timeout: takeSeconds("pg-login-timeout"),
    client_idle_timeout: takeSeconds("pg-client-idle-timeout"),
    query_wait_timeout: takeSeconds("connpool-wait-timeout"),
    query_timeout: noteThat(
      "use statement_timeout in PostgreSQL, which ALTER ROLE … SET gives a role",
    ),
    idle_transaction_timeout: noteThat(
      "use idle_in_transaction_session_timeout in PostgreSQL, which ALTER ROLE … SET gives a role",
    ),
    transaction_timeout: noteThat(
      "use transaction_timeout in PostgreSQL 17, which ALTER ROLE … SET gives a role",
    ),
    client_tls_sslmode: takeClientTls,
    client_tls_key_file: takeValue("pg-tls-key-file"),
    client_tls_cert_file: takeValue("pg-tls-cert-file"),
    client_tls_ca_file: takeValue("pg-tls-client-ca-file"),
    server_tls_sslmode: takeServerTls,
    server_tls_ca_file: takeValue("pg-client-sslrootcert"),
    server_tls_key_file: takeValue("pg-client-sslkey"),
    server_tls_cert_file: takeValue("pg-client-sslcert"),
    tcp_keepidle: takeSeconds("pg-tcp-keepalive"),
    max_packet_size: noteThat("the limit is pg-max-message-bytes"),
    so_reuseport: noteThat("one process serves all clients"),
    peer_id: noteThat("one process serves all clients"),
    user: noteThat("the pooler is started as the user that it runs as"),
  }),
);
