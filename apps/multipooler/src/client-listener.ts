import { PgwireServer } from "@multipooler/pgwire-services";
import type { PgwireServerOptions, TlsFilePaths } from "@multipooler/pgwire-services";
import { ConfigError } from "./settings/config.ts";
import type { ConnectionLimits } from "./open-files.ts";
import type { Config } from "./settings/settings.ts";

export interface ClientListenerOptions extends Pick<PgwireServerOptions, "manager" | "logger"> {
  readonly limits: ConnectionLimits;
}

/**
 * The transport for psql and drivers; `undefined` if no port is set for it.
 *
 * @throws a `PgwireServicesError` for files of TLS that cannot be used
 */
export function clientListener(
  config: Config,
  { limits, ...options }: ClientListenerOptions,
): PgwireServer | undefined {
  if (config.pgListenPort === undefined) {
    return undefined;
  }
  return new PgwireServer({
    ...options,
    host: config.pgListenAddress,
    port: config.pgListenPort,
    tls: tlsFiles(config),
    trustLoopback: config.pgTrustLoopback === "on",
    maxClients: limits.clients.limit,
    maxConnections: limits.clients.connections,
    loginTimeoutMs: config.pgLoginTimeoutMs,
    idleTimeoutMs: config.pgClientIdleTimeoutMs,
    maxMessageBytes: config.pgMaxMessageBytes,
  });
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
