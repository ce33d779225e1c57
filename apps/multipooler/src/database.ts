import { ManagerError, ManagerErrorCode, postgresDatabase } from "@multipooler/manager";
import type { DatabaseProvider } from "@multipooler/manager";
import type { ClientTlsFiles } from "@multipooler/tls";
import { ConfigError } from "./settings/config.ts";
import { readSecretFile } from "./secret-file.ts";
import type { Config } from "./settings/settings.ts";

/**
 * The PostgreSQL that the manager is to stand in front of. Its password is read at each dial.
 *
 * @throws ConfigError naming the setting that is no connection string
 */
export function databaseOf(config: Config, tls: ClientTlsFiles): DatabaseProvider {
  try {
    return databaseAt(config, tls);
  } catch (error) {
    if (error instanceof ManagerError && error.code === ManagerErrorCode.InvalidConfig) {
      throw new ConfigError([`--replication-conninfo: ${error.message}`], { cause: error });
    }
    throw error;
  }
}

function databaseAt(config: Config, tls: ClientTlsFiles): DatabaseProvider {
  return postgresDatabase({
    address:
      config.socketFile === undefined
        ? { type: "tcp", host: config.pgHost, port: config.pgPort }
        : { type: "socket", path: config.socketFile },
    database: config.database,
    user: config.adminUser,
    password: () => password(config),
    tls: () => tls.settings,
    adminConnections: config.adminConnections,
    dialTimeoutMs: config.dialTimeoutMs,
    replicationConnInfo: config.replicationConnInfo,
  });
}

/**
 * Reads the password file once, so that a wrong path ends the start instead of failing each dial.
 *
 * @throws ConfigError naming the file and the fault.
 */
export function checkPasswordFile(config: Config): void {
  try {
    password(config);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError([`--connpool-admin-password-file: ${why}`], { cause: error });
  }
}

function password(config: Config): string | undefined {
  if (config.adminPasswordFile === undefined) {
    return config.adminPassword;
  }
  return readSecretFile(config.adminPasswordFile);
}
