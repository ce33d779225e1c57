import { ClientTlsFiles, TlsError } from "@multipooler/tls";
import type { ClientTlsConfig, TlsMode, WatchContext } from "@multipooler/tls";
import { ConfigError } from "./settings/config.ts";
import type { Config } from "./settings/settings.ts";

/**
 * How connections to PostgreSQL are encrypted. Its files are read here, and again when they are
 * replaced.
 *
 * @throws ConfigError for settings that contradict each other and files that cannot be used
 */
export function databaseTls(config: Config, context: WatchContext): ClientTlsFiles {
  try {
    return new ClientTlsFiles(databaseTlsConfig(config), context);
  } catch (error) {
    if (error instanceof TlsError) {
      throw new ConfigError([`--pg-client-sslmode, --pg-client-ssl*: ${error.message}`], {
        cause: error,
      });
    }
    throw error;
  }
}

export function databaseTlsConfig(config: Config): ClientTlsConfig {
  return {
    mode: modeOf(config),
    negotiation: config.pgClientSslNegotiation,
    channelBinding: config.pgClientChannelBinding,
    rootCertFile: config.pgClientSslRootCert,
    certFile: config.pgClientSslCert,
    keyFile: config.pgClientSslKey,
    serverName: config.pgClientSslServerName,
  };
}

/** Any name that an authority of the system certified would do for a weaker mode. */
function modeOf({ pgClientSslMode, pgClientSslRootCert }: Config): TlsMode {
  return pgClientSslMode ?? (pgClientSslRootCert === "system" ? "verify-full" : "prefer");
}
