import { PgwireServer } from "@multipooler/pgwire-services";
import type { ConsoleOptions, PgwireServerOptions } from "@multipooler/pgwire-services";
import type { ServerTlsPaths } from "@multipooler/tls";
import type { Logger } from "pino";
import { adminConsole } from "./admin-console.ts";
import { ConfigError } from "./settings/config.ts";
import type { ConnectionLimits } from "./open-files.ts";
import type { Config } from "./settings/settings.ts";

/** What the transport is put together of. */
export interface ListenerParts extends Pick<PgwireServerOptions, "manager"> {
  readonly administration: ConsoleOptions["pooler"];
  /** Reads again what can change while the process runs. @throws why that cannot be used */
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
  { manager, administration, reload, logger }: ListenerParts,
): PgwireServer | undefined {
  if (config.pgListenPort === undefined) {
    return undefined;
  }
  const server: PgwireServer = new PgwireServer({
    manager,
    host: config.pgListenAddress,
    port: config.pgListenPort,
    tls: tlsFiles(config),
    clientCertificate: config.pgTlsClientCert,
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
    console: adminConsole(config, administration, () => {
      reload();
      server.reload();
    }),
    logger: logger.child({ component: "pgwire" }),
  });
  return server;
}

type ListenerTlsConfig = Pick<
  Config,
  "pgTlsCertFile" | "pgTlsKeyFile" | "pgTlsClientCaFile" | "pgTlsClientCert"
>;

/** @throws ConfigError when one of the files is named without those that it needs */
export function tlsFiles(config: ListenerTlsConfig): ServerTlsPaths | undefined {
  const {
    pgTlsCertFile: certFile,
    pgTlsKeyFile: keyFile,
    pgTlsClientCaFile: clientCaFile,
  } = config;
  const { pgTlsClientCert: clientCert = "none" } = config;
  if (clientCert !== "none" && clientCaFile === undefined) {
    throw new ConfigError([
      `--pg-tls-client-cert ${clientCert} needs --pg-tls-client-ca-file: the authorities of clients`,
    ]);
  }
  if (certFile !== undefined && keyFile !== undefined) {
    return { certFile, keyFile, clientCaFile };
  }
  if (certFile === undefined && keyFile === undefined && clientCaFile === undefined) {
    return undefined;
  }
  const missing = certFile === undefined ? "--pg-tls-cert-file" : "--pg-tls-key-file";
  throw new ConfigError([`${missing} is missing: TLS needs the certificate and its key`]);
}
