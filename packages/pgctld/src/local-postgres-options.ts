import { isAbsolute, join } from "node:path";
import { systemClock } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { accessRulesText } from "./directory/access-rules.ts";
import type { AccessRules } from "./directory/access-rules.ts";
import { checkSettings } from "./directory/configuration.ts";
import type { ServerSettings } from "./directory/configuration.ts";
import { invalidArgument } from "./error.ts";
import type { Installation } from "./installation/installation.ts";
import type { Logger } from "./logger.ts";
import type { Environment } from "./run/program.ts";
import type { User } from "./run/run-as.ts";

/** Which server to control, and how it is set up. */
export interface LocalPostgresOptions {
  /** The programs to run. */
  readonly installation: Installation;
  /** Absolute path of the data directory; `initialize` makes it. */
  readonly dataDir: string;
  /** Absolute path of the directory for what belongs to the server and not to its data: log, lock, password file. */
  readonly stateDir: string;
  /** The superuser's password: that of a new cluster, and of the source of a rewind. One line. */
  readonly password: string;
  readonly port: number;
  /** Addresses to listen on, as PostgreSQL's `listen_addresses` has them. Default "127.0.0.1". */
  readonly listenAddresses?: string | undefined;
  /** Directory of the unix socket. Default: `pg_sockets` in `stateDir`. */
  readonly socketDir?: string | undefined;
  /** Name of the superuser. Default "postgres". */
  readonly user?: string | undefined;
  /** Settings of the server; those of `ALTER SYSTEM` win. Written at each start and reload. */
  readonly settings?: ServerSettings | undefined;
  /** Who may connect to a new cluster. Default: this machine, by scram-sha-256. */
  readonly access?: Partial<AccessRules> | undefined;
  /** Further arguments of `initdb`. */
  readonly initdbArguments?: readonly string[] | undefined;
  /** False: a new cluster is not synced to disk while it is made. Default true. */
  readonly durable?: boolean | undefined;
  /** As root: whom a new data directory belongs to. Default: `nobody`. An existing one keeps its owner. */
  readonly osUser?: User | undefined;
  /** Further variables of the server's environment, e.g. for an `archive_command`. */
  readonly environment?: Environment | undefined;
  /** How long a start may take until the server is ready. Default 60000. */
  readonly startTimeoutMs?: number | undefined;
  /** How long a stop may take before a harsher one. Default 30000. */
  readonly stopTimeoutMs?: number | undefined;
  /** How long a promotion may take. Default 60000. */
  readonly promoteTimeoutMs?: number | undefined;
  /** How long to wait for another process that works on the same data directory. Default 10000. */
  readonly lockTimeoutMs?: number | undefined;
  readonly logger: Logger;
  readonly clock?: Clock | undefined;
}

/** The options with their defaults. */
export type ResolvedOptions = {
  readonly [Name in keyof Omit<LocalPostgresOptions, "access" | "osUser">]-?: Exclude<
    LocalPostgresOptions[Name],
    undefined
  >;
} & { readonly access: AccessRules; readonly osUser: User | undefined };

/** The longest path of a unix socket that both Linux (107 bytes) and macOS (103) take. */
const SOCKET_PATH_MAX_BYTES = 103;
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
const PROMOTE_TIMEOUT_MS = 60_000;
const LOCK_TIMEOUT_MS = 10_000;

/** @throws INVALID_ARGUMENT, naming the option, for what cannot be kept */
export function resolveOptions(options: LocalPostgresOptions): ResolvedOptions {
  const resolved: ResolvedOptions = {
    ...options,
    listenAddresses: options.listenAddresses ?? "127.0.0.1",
    socketDir: options.socketDir ?? join(options.stateDir, "pg_sockets"),
    user: options.user ?? "postgres",
    settings: options.settings ?? {},
    access: {
      local: options.access?.local ?? "scram-sha-256",
      loopback: options.access?.loopback ?? "scram-sha-256",
      networks: options.access?.networks ?? [],
    },
    initdbArguments: options.initdbArguments ?? [],
    durable: options.durable ?? true,
    osUser: options.osUser,
    environment: options.environment ?? {},
    startTimeoutMs: options.startTimeoutMs ?? START_TIMEOUT_MS,
    stopTimeoutMs: options.stopTimeoutMs ?? STOP_TIMEOUT_MS,
    promoteTimeoutMs: options.promoteTimeoutMs ?? PROMOTE_TIMEOUT_MS,
    lockTimeoutMs: options.lockTimeoutMs ?? LOCK_TIMEOUT_MS,
    clock: options.clock ?? systemClock,
  };
  check(resolved);
  return resolved;
}

function check(options: ResolvedOptions): void {
  for (const name of ["dataDir", "stateDir", "socketDir"] as const) {
    if (!isAbsolute(options[name]) || /[\0\n\r]/.test(options[name])) {
      throw invalidArgument(
        `${name} must be an absolute path, not ${JSON.stringify(options[name])}`,
      );
    }
  }
  for (const name of ["user", "password"] as const) {
    if (options[name] === "" || /[\0\n\r]/.test(options[name])) {
      throw invalidArgument(`${name} must be one line that is not empty`);
    }
  }
  if (!Number.isSafeInteger(options.port) || options.port < 1 || options.port > 65_535) {
    throw invalidArgument(`port must be from 1 to 65535, not ${options.port}`);
  }
  if (Buffer.byteLength(join(options.socketDir, ".s.PGSQL.65535")) > SOCKET_PATH_MAX_BYTES) {
    throw invalidArgument(
      `socketDir is too long for a unix socket (the path of the socket may have ${SOCKET_PATH_MAX_BYTES} bytes): ${options.socketDir}`,
    );
  }
  const names = ["startTimeoutMs", "stopTimeoutMs", "promoteTimeoutMs", "lockTimeoutMs"] as const;
  for (const name of names) {
    checkTimeout(name, options[name]);
  }
  checkSettings(options.settings);
  accessRulesText(options.access);
}

/** @throws INVALID_ARGUMENT, naming the option */
export function checkTimeout(name: string, ms: number): void {
  if (!Number.isFinite(ms) || ms < 0) {
    throw invalidArgument(`${name} must be a number of milliseconds from 0, not ${ms}`);
  }
}
