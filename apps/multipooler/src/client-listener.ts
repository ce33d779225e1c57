import { PgwireServer } from "@multipooler/pgwire-services";
import type {
  ChangeableOptions,
  ConsoleOptions,
  PgwireServerOptions,
} from "@multipooler/pgwire-services";
import type { ServerTlsPaths } from "@multipooler/tls";
import type { Logger } from "pino";
import { adminConsole } from "./admin-console.ts";
import type { ConnectionLimits } from "./open-files.ts";
import { serverTlsPaths } from "./server-tls.ts";
import { ConfigError } from "./settings/config.ts";
import type { Config } from "./settings/settings.ts";

/** What the transport is put together of. */
export interface ListenerParts extends Pick<PgwireServerOptions, "manager"> {
  readonly administration: ConsoleOptions["pooler"];
  /** The configuration that the process runs with. */
  readonly current: () => Config;
  /** Reads the configuration again. @throws why it cannot be used */
  readonly reload: () => void;
  readonly logger: Logger;
}

/**
 * The transport for psql and drivers; `undefined` if no port is set for it.
 *
 * @throws a `PgwireServicesError` for files of TLS that cannot be used
 */
export function clientListener(
  config: Config,
  limits: ConnectionLimits,
  { manager, administration, current, reload, logger }: ListenerParts,
): PgwireServer | undefined {
  if (config.pgListenPort === undefined) {
    return undefined;
  }
  return new PgwireServer({
    ...listenerLimits(config, limits),
    manager,
    host: config.pgListenAddress,
    port: config.pgListenPort,
    tls: tlsFiles(config),
    tlsRequired: config.pgTlsRequired === "on",
    clientCertificate: config.pgTlsClientCert,
    keepAliveMs: config.pgTcpKeepaliveMs,
    console: adminConsole(current, administration, reload),
    logger: logger.child({ component: "pgwire" }),
  });
}

/** What of it can change while it listens. */
export function listenerLimits(
  config: Config,
  { clients }: Pick<ConnectionLimits, "clients">,
): ChangeableOptions {
  return {
    trustLoopback: config.pgTrustLoopback === "on",
    maxClients: clients.limit,
    maxClientsPerUser: config.pgMaxClientsPerUser,
    maxClientsPerDatabase: config.pgMaxClientsPerDatabase,
    maxConnections: clients.connections,
    loginTimeoutMs: config.pgLoginTimeoutMs,
    loginFailureLimit: config.pgLoginFailureLimit,
    loginFailureWindowMs: config.pgLoginFailureWindowMs,
    idleTimeoutMs: config.pgClientIdleTimeoutMs,
    clientStallTimeoutMs: config.clientStallTimeoutMs,
    maxMessageBytes: config.pgMaxMessageBytes,
  };
}

type ListenerTlsConfig = Pick<
  Config,
  "pgTlsRequired" | "pgTlsCertFile" | "pgTlsKeyFile" | "pgTlsClientCaFile" | "pgTlsClientCert"
>;

/** @throws ConfigError when one of the files is named without those that it needs */
export function tlsFiles(config: ListenerTlsConfig): ServerTlsPaths | undefined {
  const paths = serverTlsPaths({
    prefix: "pg-tls",
    certFile: config.pgTlsCertFile,
    keyFile: config.pgTlsKeyFile,
    clientCaFile: config.pgTlsClientCaFile,
    clientCert: config.pgTlsClientCert,
  });
  if (config.pgTlsRequired === "on" && paths === undefined) {
    throw new ConfigError([
      "--pg-tls-required on needs --pg-tls-cert-file and --pg-tls-key-file: without them no client can encrypt",
    ]);
  }
  return paths;
}
