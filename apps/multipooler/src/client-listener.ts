import { PgwireServer } from "@multipooler/pgwire-services";
import type {
  ConsoleOptions,
  PgwireServerOptions,
  TlsFilePaths,
} from "@multipooler/pgwire-services";
import type { Logger } from "pino";
import { adminConsole } from "./admin-console.ts";
import { ConfigError } from "./settings/config.ts";
import type { ConnectionLimits } from "./open-files.ts";
import type { Config } from "./settings/settings.ts";

/** What the transport is put together of. */
export interface ListenerParts extends Pick<PgwireServerOptions, "manager"> {
  readonly administration: ConsoleOptions["pooler"];
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
  { manager, administration, logger }: ListenerParts,
): PgwireServer | undefined {
  if (config.pgListenPort === undefined) {
    return undefined;
  }
  const server: PgwireServer = new PgwireServer({
    manager,
    host: config.pgListenAddress,
    port: config.pgListenPort,
    tls: tlsFiles(config),
    trustLoopback: config.pgTrustLoopback === "on",
    maxClients: limits.clients.limit,
    maxClientsPerUser: config.pgMaxClientsPerUser,
    maxClientsPerDatabase: config.pgMaxClientsPerDatabase,
    maxConnections: limits.clients.connections,
    loginTimeoutMs: config.pgLoginTimeoutMs,
    idleTimeoutMs: config.pgClientIdleTimeoutMs,
    maxMessageBytes: config.pgMaxMessageBytes,
    loginFailureLimit: config.pgLoginFailureLimit,
    loginFailureWindowMs: config.pgLoginFailureWindowMs,
    keepAliveMs: config.pgTcpKeepaliveMs,
    console: adminConsole(config, administration, () => server.reload()),
    logger: logger.child({ component: "pgwire" }),
  });
  return server;
}

/** @throws ConfigError when one of the two files is named without the other */
export function tlsFiles(
  config: Pick<Config, "pgTlsCertFile" | "pgTlsKeyFile">,
): TlsFilePaths | undefined {
  const { pgTlsCertFile: certFile, pgTlsKeyFile: keyFile } = config;
  if (certFile !== undefined && keyFile !== undefined) {
    return { certFile, keyFile };
  }
  if (certFile === undefined && keyFile === undefined) {
    return undefined;
  }
  const missing = certFile === undefined ? "--pg-tls-cert-file" : "--pg-tls-key-file";
  throw new ConfigError([`${missing} is missing: TLS needs the certificate and its key`]);
}
