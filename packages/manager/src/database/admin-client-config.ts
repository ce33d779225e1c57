import path from "node:path";
import type { ClientConfig } from "pg";
import { describeAddress, portOfSocket } from "./database-config.ts";
import type { ResolvedDatabaseConfig } from "./database-config.ts";
import { messageOf } from "../error-message.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";

/** What the manager's connections call themselves in `pg_stat_activity`. */
export const APPLICATION_NAME = "multipooler";

/**
 * How `pg` is to connect for administration. Every setting that `pg` would otherwise read from the
 * environment is given, so that nothing but the configuration decides.
 *
 * @param statementTimeoutMs the server's limit on a statement; `undefined` for none.
 */
export function adminClientConfig(
  config: ResolvedDatabaseConfig,
  statementTimeoutMs: number | undefined,
): ClientConfig {
  return {
    ...endpoint(config),
    database: config.database,
    user: config.user,
    password: () => requirePassword(config),
    ssl: false,
    application_name: APPLICATION_NAME,
    client_encoding: "UTF8",
    // A schema that shadows a catalog function must not run with the manager's rights, and a
    // database that is read-only by default must still take the sidecar schema and heartbeats.
    options: "-c search_path=pg_catalog -c default_transaction_read_only=off",
    connectionTimeoutMillis: config.dialTimeoutMs,
    keepAlive: true,
    ...(statementTimeoutMs === undefined ? {} : { statement_timeout: statementTimeoutMs }),
  };
}

function endpoint({ address }: ResolvedDatabaseConfig): { host: string; port: number } {
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
function requirePassword(config: ResolvedDatabaseConfig): string {
  const password = readPassword(config);
  if (password === undefined || password === "") {
    throw new ManagerError(
      ManagerErrorCode.AuthenticationFailed,
      `PostgreSQL at ${describeAddress(config.address)} asks for the password of user ` +
        `"${config.user}", and none is configured`,
    );
  }
  return password;
}

/** Where the password cannot be looked up now, e.g. since its file is being replaced, a retry may. */
function readPassword(config: ResolvedDatabaseConfig): string | undefined {
  try {
    return config.password();
  } catch (error) {
    throw new ManagerError(
      ManagerErrorCode.DatabaseUnavailable,
      `the password of user "${config.user}" for PostgreSQL at ` +
        `${describeAddress(config.address)} cannot be looked up: ${messageOf(error)}`,
      { cause: error },
    );
  }
}
