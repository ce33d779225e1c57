import { PgwireServer } from "@multipooler/pgwire-services";
import type { PgwireServerOptions } from "@multipooler/pgwire-services";
import type { ServerTlsPaths } from "@multipooler/tls";
import type { Logger } from "pino";
import { ConfigError } from "./settings/config.ts";
import type { ConnectionLimits } from "./open-files.ts";
import type { Config } from "./settings/settings.ts";

/**
 * The transport for psql and drivers; `undefined` if no port is set for it.
 *
 * @throws a `PgwireServicesError` for files of TLS that cannot be used
 */
export function clientListener(
  config: Config,
  limits: ConnectionLimits,
  { manager, logger }: Pick<PgwireServerOptions, "manager"> & { readonly logger: Logger },
): PgwireServer | undefined {
  if (config.pgListenPort === undefined) {
    return undefined;
  }
  return new PgwireServer({
    manager,
    host: config.pgListenAddress,
    port: config.pgListenPort,
    tls: tlsFiles(config),
    clientCertificate: config.pgTlsClientCert,
    trustLoopback: config.pgTrustLoopback === "on",
    maxClients: limits.clients.limit,
    maxConnections: limits.clients.connections,
    loginTimeoutMs: config.pgLoginTimeoutMs,
    idleTimeoutMs: config.pgClientIdleTimeoutMs,
    maxMessageBytes: config.pgMaxMessageBytes,
    logger: logger.child({ component: "pgwire" }),
  });
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
