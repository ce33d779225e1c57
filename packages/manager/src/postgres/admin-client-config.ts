import path from "node:path";
import type { ClientConfig } from "pg";
import { portOfSocket } from "./database-config.ts";
import type { ServerConfig } from "./database-config.ts";
import { messageOf } from "../error-message.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { MAX_APPLICATION_NAME_BYTES } from "../record/application-name.ts";

const PURPOSES = ["manager", "heartbeat", "check", "replication"] as const;

/** What a connection of the manager is for; the end of its `application_name`. */
export type ConnectionPurpose = (typeof PURPOSES)[number];

/** Room for a purpose, and for the name of a controller's pool. */
const PURPOSE_BYTES = 21;

/** How the `application_name` of each connection begins: `multipooler <cell>_<name>`. */
export function applicationNamePrefix(poolerName: string): string {
  // PostgreSQL writes other characters as several.
  const name = `multipooler ${poolerName}`.replace(/[^\x20-\x7e]/gu, "?");
  return name.slice(0, MAX_APPLICATION_NAME_BYTES - PURPOSE_BYTES);
}

/** The `application_name` of each connection of the manager's own. */
export function ownConnectionNames(poolerName: string): readonly string[] {
  return PURPOSES.map((purpose) => `${applicationNamePrefix(poolerName)} ${purpose}`);
}

/**
 * How `pg` is to connect for administration. Every setting that `pg` would otherwise read from the
 * environment is given, so that nothing but the configuration decides.
 *
 * @param statementTimeoutMs the server's limit on a statement; `undefined` for none.
 */
export function adminClientConfig(
  config: ServerConfig,
  purpose: ConnectionPurpose,
  statementTimeoutMs: number | undefined,
): ClientConfig {
  return {
    ...endpoint(config),
    database: config.database,
    user: config.user,
    password: () => requirePassword(config),
    // The stream encrypts before `pg` has its first word.
    ssl: false,
    enableChannelBinding: config.tls().channelBinding !== "disable",
    application_name: `${config.applicationName} ${purpose}`,
    client_encoding: "UTF8",
    // A schema that shadows a catalog function must not run with the manager's rights, and a
    // database that is read-only by default must still take the sidecar schema and heartbeats.
    options: "-c search_path=pg_catalog -c default_transaction_read_only=off -c jit=off",
    connectionTimeoutMillis: config.dialTimeoutMs,
    keepAlive: true,
    ...(statementTimeoutMs === undefined ? {} : { statement_timeout: statementTimeoutMs }),
  };
}

function endpoint({ address }: ServerConfig): { host: string; port: number } {
  switch (address.type) {
    case "tcp":
      return { host: address.host, port: address.port };
    case "socket": {
      const port = portOfSocket(address.path);
      if (port === undefined) {
        throw new ManagerError(
          ManagerErrorCode.Internal,
          `an unchecked socket path: ${address.path}`,
        );
      }
      // `pg` puts the name of the socket together again from directory and port.
      return { host: path.dirname(address.path), port };
    }
  }
}

/** `pg` asks only when the server does, so no password is a fault of its own, known at once. */
function requirePassword(config: ServerConfig): string {
  const password = readPassword(config);
  if (password === undefined || password === "") {
    throw new ManagerError(
      ManagerErrorCode.AuthenticationFailed,
      `${config.place} asks for the password of user "${config.user}", and none is configured`,
    );
  }
  return password;
}

/** Where the password cannot be looked up now, e.g. since its file is being replaced, a retry may. */
export function readPassword(config: ServerConfig): string | undefined {
  try {
    return config.password();
  } catch (error) {
    throw new ManagerError(
      ManagerErrorCode.DatabaseUnavailable,
      `the password of user "${config.user}" for ${config.place} ` +
        `cannot be looked up: ${messageOf(error)}`,
      { cause: error },
    );
  }
}
