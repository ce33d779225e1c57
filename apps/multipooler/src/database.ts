import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { ManagerError, formatConnInfo, postgresDatabase } from "@multipooler/manager";
import type { DatabaseConfig, DatabasePlace, PostgresProvider } from "@multipooler/manager";
import type { ClientTlsFiles, TlsSettings } from "@multipooler/tls";
import { passwordIn } from "./passfile.ts";
import { ConfigError } from "./settings/config.ts";
import { readSecretFile } from "./secret-file.ts";
import { settings } from "./settings/settings.ts";
import type { Config } from "./settings/settings.ts";
import { fileFault } from "./file-fault.ts";

/**
 * The PostgreSQL that the manager is to stand in front of. Its password is read at each dial, as the
 * settings name it then.
 *
 * @throws ConfigError naming the setting that PostgreSQL could not go by
 */
export function databaseOf(config: Config, source: DatabaseSource): PostgresProvider {
  return naming(config, () => databaseAt(config, source));
}

/**
 * Has the manager look for PostgreSQL where the settings say. Returns what does so.
 *
 * @throws ConfigError
 */
export function preparedPlace(
  config: Config,
  database: Pick<PostgresProvider, "preparePlace">,
  source: DatabaseSource,
): () => void {
  return naming(config, () => database.preparePlace(placeOf(config, source)));
}

function naming<T>(config: Config, use: () => T): T {
  try {
    return use();
  } catch (error) {
    if (!(error instanceof ManagerError) || error.setting === undefined) {
      throw error;
    }
    const { message, setting } = error;
    // The message begins with the name that the manager has for it.
    const problem = `--${flagOf(setting, config)}:${message.slice(setting.length)}`;
    throw new ConfigError([problem], { cause: error });
  }
}

/** The flag of an option of the manager. */
function flagOf(option: string, config: Config): string {
  switch (option) {
    case "database.address.path":
      return (config.socketFile === undefined ? settings.pgHost : settings.socketFile).flag;
    case "database.address.host":
      return settings.pgHost.flag;
    case "database.database":
      return settings.database.flag;
    case "database.user":
      return settings.adminUser.flag;
    case "database.replicationConnInfo":
      return settings.replicationConnInfo.flag;
    default:
      return option;
  }
}

export interface DatabaseSource {
  readonly tls: Pick<ClientTlsFiles, "settings">;
  readonly current: () => Config;
}

function databaseAt(config: Config, source: DatabaseSource): PostgresProvider {
  return postgresDatabase({
    ...placeOf(config, source),
    database: config.database,
    user: config.adminUser,
    adminConnections: config.adminConnections,
    dialTimeoutMs: config.dialTimeoutMs,
    replicationConnInfo: () => config.replicationConnInfo ?? loginOfPgctld(config.poolerDir),
  });
}

/**
 * A server that is left is dialled as long as it drains: it gets the password of its own address, and its
 * certificate is for its own name.
 */
function placeOf(config: Config, { tls, current }: DatabaseSource): DatabasePlace {
  const address = addressOf(config);
  let last = config;
  const own = (): Config => {
    const now = current();
    if (isDeepStrictEqual(addressOf(now), address)) {
      last = now;
    }
    return last;
  };
  let given: TlsSettings | undefined;
  let named: TlsSettings = { mode: "disable" };
  return {
    address,
    password: () => password(own()),
    tls: () => {
      const { settings: files } = tls;
      const serverName = files.serverName ?? hostOf(own());
      if (files !== given || serverName !== named.serverName) {
        given = files;
        named = { ...files, serverName };
      }
      return named;
    },
  };
}

/** Where an IP address is set beside the name, the certificate is for the name. */
function hostOf({ pgHost, pgHostAddress }: Config): string | undefined {
  return pgHostAddress === undefined || pgHost.startsWith("/") ? undefined : pgHost;
}

/** pgctld keeps the superuser's password for libpq in the directory that it shares with its pooler. */
function loginOfPgctld(poolerDir: string | undefined): string {
  const passfile = poolerDir === undefined ? undefined : join(resolve(poolerDir), "pgpass");
  return passfile !== undefined && existsSync(passfile)
    ? formatConnInfo(new Map([["passfile", passfile]]))
    : "";
}

/**
 * Reads the file of the password once, so that a wrong path ends the start instead of failing each dial.
 *
 * @throws ConfigError naming the file and the fault.
 */
export function checkPasswordFile(config: Config): void {
  try {
    password(config);
  } catch (error) {
    const file = config.adminPasswordFile;
    const setting =
      file === undefined ? "--pg-passfile" : `--connpool-admin-password-file: ${file}`;
    throw new ConfigError([`${setting}: ${fileFault(error)}`], { cause: error });
  }
}

/** As in libpq a host that begins with a slash is the directory of a socket. */
export function addressOf({
  socketFile,
  pgHost,
  pgHostAddress,
  pgPort,
}: Pick<Config, "socketFile" | "pgHost" | "pgHostAddress" | "pgPort">): DatabaseConfig["address"] {
  if (socketFile !== undefined) {
    return { type: "socket", path: socketFile };
  }
  return pgHostAddress === undefined && pgHost.startsWith("/")
    ? { type: "socket", path: join(pgHost, `.s.PGSQL.${pgPort}`) }
    : { type: "tcp", host: pgHostAddress ?? pgHost, port: pgPort };
}

function password(config: Config): string | undefined {
  const { adminPasswordFile, adminPassword, pgPassfile, database, adminUser: user } = config;
  if (adminPasswordFile !== undefined) {
    return readSecretFile(adminPasswordFile);
  }
  const login = { address: addressOf(config), host: config.pgHost, database, user };
  return adminPassword ?? passwordIn(pgPassfile, login);
}
