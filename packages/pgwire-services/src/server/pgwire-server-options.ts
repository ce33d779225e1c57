import type { PoolerController } from "@multipooler/controller-api";
import type { Logger } from "@multipooler/logging";
import { systemClock } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import type { ServerTlsPaths } from "@multipooler/tls";
import type { ConsoleOptions } from "../console/console-options.ts";
import { PgwireServicesError, PgwireServicesErrorCode } from "../error.ts";
import type { ClientCertificateDemand } from "../login/certificate-check.ts";

/** The part of a `MultiPoolerManager` that the listener uses. */
export interface PoolerManager {
  /** The controller. Asked for at each login, and never kept. */
  queryServiceControl(): Pick<PoolerController, "getExecutor">;
}

/** Where the server listens, whom it asks, and the bounds of its clients. */
export interface PgwireServerOptions {
  /** Asked at each login. */
  readonly manager: PoolerManager;
  /** The name or address to listen on, e.g. "127.0.0.1", or "::" for every address. */
  readonly host: string;
  /** The port to listen on; 0 lets the system choose. */
  readonly port: number;
  readonly logger: Logger;
  /** Without them a client that asks for TLS is told that there is none. */
  readonly tls?: ServerTlsPaths | undefined;
  /**
   * The certificate that clients need. Anything but "none" needs `tls.clientCaFile`. Default: "verify-ca"
   * with such a file, "none" without.
   */
  readonly clientCertificate?: ClientCertificateDemand | undefined;
  /** Refuses clients that do not encrypt their connection. Needs `tls`. Default: false. */
  readonly tlsRequired?: boolean | undefined;
  /** Lets clients from loopback in as the role that they name, without a proof. Default: false. */
  readonly trustLoopback?: boolean | undefined;
  /** Clients that are logged in or about to be; further ones get 53300. Default 100. */
  readonly maxClients?: number | undefined;
  /** Clients that are logged in as one user; 0, the default: as many as there may be. */
  readonly maxClientsPerUser?: number | undefined;
  /** Clients that are logged in to one database; 0, the default: as many as there may be. */
  readonly maxClientsPerDatabase?: number | undefined;
  /**
   * Connections of every kind, those included that ask for a cancel or are told that there are too
   * many clients; further ones are closed at once. Default: twice `maxClients`, so that all of them can
   * ask for a cancel at once, and at least 16 more.
   */
  readonly maxConnections?: number | undefined;
  /** How long a login may take, from the connection to the first statement. Default 60000. */
  readonly loginTimeoutMs?: number | undefined;
  /** How long a client waits to be told that its password is wrong. Default 500. */
  readonly failedLoginDelayMs?: number | undefined;
  /**
   * Wrong passwords of one user from one address within `loginFailureWindowMs`; then its logins are
   * refused for the rest of that. Ten times as many of all users from one address do so too. 0 sets
   * no limit. Default 20.
   */
  readonly loginFailureLimit?: number | undefined;
  /** Default 60000. */
  readonly loginFailureWindowMs?: number | undefined;
  /** How long a connection may be silent before TCP asks whether its client is there; 0: never. Default 60000. */
  readonly keepAliveMs?: number | undefined;
  /** Without it there is no admin console. */
  readonly console?: ConsoleOptions | undefined;
  /** How long a client may be silent outside a transaction; 0, the default, is without a limit. */
  readonly idleTimeoutMs?: number | undefined;
  /**
   * How long a client may take nothing of an answer while a statement or a transaction of it holds a
   * backend; then it is disconnected. 0: for ever. Default 1800000.
   */
  readonly clientStallTimeoutMs?: number | undefined;
  /** The longest message of a client that is logged in. Default 16 MiB. */
  readonly maxMessageBytes?: number | undefined;
  readonly clock?: Clock | undefined;
}

/** The options of a server, each with its value. */
export type ResolvedOptions = {
  readonly [Name in Exclude<keyof PgwireServerOptions, "tls" | "console">]-?: NonNullable<
    PgwireServerOptions[Name]
  >;
} & Pick<PgwireServerOptions, "tls" | "console">;

const DEFAULT_MAX_CLIENTS = 100;
/** Connections for cancel requests and for refusals in words. */
const LEAST_SPARE = 16;
const DEFAULT_LOGIN_FAILURE_LIMIT = 20;
const DEFAULT_LOGIN_FAILURE_WINDOW_MS = 60_000;
const DEFAULT_KEEPALIVE_MS = 60_000;
const DEFAULT_LOGIN_TIMEOUT_MS = 60_000;
const DEFAULT_FAILED_LOGIN_DELAY_MS = 500;
const DEFAULT_STALL_TIMEOUT_MS = 1_800_000;
const DEFAULT_MAX_MESSAGE_BYTES = 16_777_216;

/** @throws INVALID_ARGUMENT, naming the option, the value and the limit */
export function resolveOptions(options: PgwireServerOptions): ResolvedOptions {
  const maxClients = options.maxClients ?? DEFAULT_MAX_CLIENTS;
  const resolved: ResolvedOptions = {
    ...options,
    maxClients,
    maxClientsPerUser: options.maxClientsPerUser ?? 0,
    maxClientsPerDatabase: options.maxClientsPerDatabase ?? 0,
    loginFailureLimit: options.loginFailureLimit ?? DEFAULT_LOGIN_FAILURE_LIMIT,
    loginFailureWindowMs: options.loginFailureWindowMs ?? DEFAULT_LOGIN_FAILURE_WINDOW_MS,
    keepAliveMs: options.keepAliveMs ?? DEFAULT_KEEPALIVE_MS,
    clientCertificate: demandOf(options),
    tlsRequired: options.tlsRequired ?? false,
    trustLoopback: options.trustLoopback ?? false,
    maxConnections: options.maxConnections ?? maxClients + Math.max(maxClients, LEAST_SPARE),
    loginTimeoutMs: options.loginTimeoutMs ?? DEFAULT_LOGIN_TIMEOUT_MS,
    failedLoginDelayMs: options.failedLoginDelayMs ?? DEFAULT_FAILED_LOGIN_DELAY_MS,
    idleTimeoutMs: options.idleTimeoutMs ?? 0,
    clientStallTimeoutMs: options.clientStallTimeoutMs ?? DEFAULT_STALL_TIMEOUT_MS,
    maxMessageBytes: options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES,
    clock: options.clock ?? systemClock,
  };
  if (resolved.tlsRequired && resolved.tls === undefined) {
    throw new PgwireServicesError(
      PgwireServicesErrorCode.InvalidArgument,
      "tlsRequired needs tls: the files of the server",
    );
  }
  requireAtLeast("maxClients", resolved.maxClients, 1);
  requireAtLeast("maxConnections", resolved.maxConnections, 1);
  requireAtLeast("maxClientsPerUser", resolved.maxClientsPerUser, 0);
  requireAtLeast("maxClientsPerDatabase", resolved.maxClientsPerDatabase, 0);
  requireAtLeast("loginFailureLimit", resolved.loginFailureLimit, 0);
  requireAtLeast("loginFailureWindowMs", resolved.loginFailureWindowMs, 1);
  requireAtLeast("keepAliveMs", resolved.keepAliveMs, 0);
  requireAtLeast("loginTimeoutMs", resolved.loginTimeoutMs, 1);
  requireAtLeast("failedLoginDelayMs", resolved.failedLoginDelayMs, 0);
  requireAtLeast("idleTimeoutMs", resolved.idleTimeoutMs, 0);
  requireAtLeast("clientStallTimeoutMs", resolved.clientStallTimeoutMs, 0);
  // Less would not even hold what drivers send by themselves.
  requireAtLeast("maxMessageBytes", resolved.maxMessageBytes, 1024);
  return resolved;
}

function demandOf({ tls, clientCertificate }: PgwireServerOptions): ClientCertificateDemand {
  if (tls?.clientCaFile !== undefined) {
    return clientCertificate ?? "verify-ca";
  }
  if (clientCertificate !== undefined && clientCertificate !== "none") {
    throw new PgwireServicesError(
      PgwireServicesErrorCode.InvalidArgument,
      `clientCertificate "${clientCertificate}" needs tls.clientCaFile: the authorities of clients`,
    );
  }
  return "none";
}

function requireAtLeast(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new PgwireServicesError(
      PgwireServicesErrorCode.InvalidArgument,
      `${name} must be a whole number from ${least}, not ${value}`,
    );
  }
}
