import { lookup } from "node:dns/promises";
import path from "node:path";
import type { DatabaseAddress } from "@multipooler/controller-api";
import type { TlsSettings } from "@multipooler/tls";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { ConnInfoSyntaxError } from "../replication/conn-info.ts";
import type { ConnInfo } from "../replication/conn-info.ts";
import { parseConnInfo } from "../replication/conn-info-parser.ts";
import { REFUSED_KEYWORDS } from "../replication/primary-conn-info.ts";
import { ownConnections } from "./server-share.ts";
import { checkInteger, checkPostgresName, checkText, invalidSetting } from "../setting.ts";

/** Resolves with the IP addresses of a host name, best first. Rejects as `dns.lookup` does. */
export type HostLookup = (hostname: string) => Promise<readonly string[]>;

/** Where a PostgreSQL is and how to log in. Durations in milliseconds. */
export interface DatabaseConfig {
  /** For a unix socket the path of the socket itself, which PostgreSQL names `.s.PGSQL.<port>`. */
  readonly address: DatabaseAddress;
  readonly database: string;
  readonly user: string;
  /**
   * Asked at each dial and never kept. `undefined` when the server asks for no password. Where it
   * throws, the dial fails and is repeated.
   */
  readonly password: () => string | undefined;
  /**
   * How TCP connections are encrypted, those of the controller included. Asked at each dial; return the
   * same object until something changes, as `ClientTlsFiles` of `@multipooler/tls` does. With
   * verify-full the certificate has to be for the host of `address`, unless `serverName` says another
   * one. Default: not encrypted.
   */
  readonly tls?: (() => TlsSettings) | undefined;
  /** The longest that one dial, authentication included, may take: 1 to 600000, default 5000. */
  readonly dialTimeoutMs?: number | undefined;
  /** The longest that one administrative statement may take: 1 to 60000, default 500. */
  readonly statementTimeoutMs?: number | undefined;
  /**
   * Connections for administrative statements, of which the controller's may use all but one at once:
   * logins, cancelling, watching. 2 to 100, default 2.
   */
  readonly adminConnections?: number | undefined;
  /**
   * An upper bound on the connections of the whole process; at least two more than
   * `adminConnections`: one is for heartbeats, and one for queries. Default: what the server grants to ordinary roles, less the greater of 3 and
   * 10 % of it, which are left to operators.
   */
  readonly maxConnections?: number | undefined;
  /**
   * How this server, as a standby, logs in to the primary that it is told to follow: keywords of a
   * connection string of libpq such as `user`, `passfile`, `sslmode`. Never those of an address, and no
   * password, since PostgreSQL logs the string. Asked each time. Default: `user` from above, without a
   * password.
   */
  readonly replicationConnInfo?: (() => string) | undefined;
  /** How a host name becomes addresses. Default: as the system does it. */
  readonly lookup?: HostLookup | undefined;
}

/** A {@link DatabaseConfig} that was checked, with every default filled in. */
export interface ResolvedDatabaseConfig {
  readonly address: DatabaseAddress;
  readonly database: string;
  readonly user: string;
  readonly password: () => string | undefined;
  readonly tls: () => TlsSettings;
  readonly dialTimeoutMs: number;
  readonly statementTimeoutMs: number;
  readonly adminConnections: number;
  readonly maxConnections: number;
  /** Throws INVALID_CONFIG. */
  readonly replicationConnInfo: () => ConnInfo;
  readonly lookup: HostLookup;
}

/** A {@link ResolvedDatabaseConfig} for one server: `address` holds no name but an IP address. */
export interface ServerConfig extends ResolvedDatabaseConfig {
  /** The server as messages call it, e.g. "PostgreSQL at db:5432 (10.0.0.7)". */
  readonly place: string;
  /** How `application_name` begins; the purpose of the connection follows. */
  readonly applicationName: string;
}

/** Checks a configuration and fills in its defaults. Throws INVALID_CONFIG, naming the setting. */
export function resolveDatabaseConfig(config: DatabaseConfig): ResolvedDatabaseConfig {
  const adminConnections = checkInteger("database.adminConnections", config.adminConnections ?? 2, {
    min: 2,
    max: 100,
  });
  return {
    address: checkAddress(config.address),
    database: checkPostgresName("database.database", config.database),
    user: checkPostgresName("database.user", config.user),
    password: config.password,
    tls: namedTls(config),
    dialTimeoutMs: checkInteger("database.dialTimeoutMs", config.dialTimeoutMs ?? 5_000, {
      min: 1,
      max: 600_000,
    }),
    statementTimeoutMs: checkInteger(
      "database.statementTimeoutMs",
      config.statementTimeoutMs ?? 500,
      { min: 1, max: 60_000 },
    ),
    adminConnections,
    // PostgreSQL itself allows no more than 262143 backends.
    maxConnections: checkInteger("database.maxConnections", config.maxConnections ?? 262_143, {
      min: ownConnections(adminConnections) + 1,
      max: 262_143,
    }),
    replicationConnInfo: checkedConnInfo(config.replicationConnInfo ?? (() => "")),
    lookup: config.lookup ?? lookUpHost,
  };
}

const NO_TLS: TlsSettings = { mode: "disable" };

/** A server is dialled by its IP address, and its certificate is for the name. */
function namedTls({ address, tls }: DatabaseConfig): () => TlsSettings {
  if (tls === undefined) {
    return () => NO_TLS;
  }
  if (address.type === "socket") {
    return tls;
  }
  let given: TlsSettings | undefined;
  let named = NO_TLS;
  return () => {
    const current = tls();
    if (current !== given) {
      given = current;
      named = { ...current, serverName: current.serverName ?? address.host };
    }
    return named;
  };
}

/** The port in the name of a PostgreSQL socket, or `undefined` where it is not named like one. */
export function portOfSocket(socketPath: string): number | undefined {
  const digits = /^\.s\.PGSQL\.([0-9]{1,5})$/.exec(path.basename(socketPath))?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Asks the system, its hosts file included. */
async function lookUpHost(hostname: string): Promise<readonly string[]> {
  const found = await lookup(hostname, { all: true, order: "verbatim" });
  return found.map(({ address }) => address);
}

/** Throws at once where it would now. */
function checkedConnInfo(given: () => string): () => ConnInfo {
  const checked = (): ConnInfo => checkReplicationConnInfo(given());
  checked();
  return checked;
}

function checkReplicationConnInfo(text: string): ConnInfo {
  const setting = "database.replicationConnInfo";
  // The text may hold a password: no message has it.
  const fault = (rule: string): ManagerError =>
    new ManagerError(ManagerErrorCode.InvalidConfig, `${setting} ${rule}`, { setting });
  if (/[\0\n\r]/.test(text)) {
    throw fault("must be one line");
  }
  try {
    const info = parseConnInfo(text);
    for (const [keyword, reason] of Object.entries(REFUSED_KEYWORDS)) {
      if (info.has(keyword)) {
        throw fault(`must not have "${keyword}": ${reason}`);
      }
    }
    return info;
  } catch (error) {
    throw error instanceof ConnInfoSyntaxError
      ? fault(`is not a connection string: ${error.message}`)
      : error;
  }
}

function checkAddress(address: DatabaseAddress): DatabaseAddress {
  switch (address.type) {
    case "tcp":
      checkText("database.address.host", address.host);
      checkInteger("database.address.port", address.port, { min: 1, max: 65_535 });
      return address;
    case "socket": {
      const setting = "database.address.path";
      const limit = process.platform === "linux" ? 107 : 103;
      if (Buffer.byteLength(address.path) > limit) {
        throw invalidSetting(setting, address.path, `at most ${limit} bytes long, as sockets are`);
      }
      if (!path.isAbsolute(address.path) || portOfSocket(address.path) === undefined) {
        throw invalidSetting(setting, address.path, "an absolute path ending in .s.PGSQL.<port>");
      }
      return address;
    }
  }
}
