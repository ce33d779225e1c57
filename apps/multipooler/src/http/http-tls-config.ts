import { TlsError } from "@multipooler/tls";
import type { Logger } from "@multipooler/logging";
import type { ServerTlsPaths, WatchContext } from "@multipooler/tls";
import { serverTlsPaths } from "../server-tls.ts";
import { ConfigError } from "../settings/config.ts";
import type { Config } from "../settings/settings.ts";
import { HttpTls } from "./http-tls.ts";

/**
 * The TLS of the HTTP server; `undefined` if nothing asks for it. Its files are read here, and again when
 * they are replaced.
 *
 * @throws ConfigError for settings that lack others, and for files that cannot be used
 */
export function httpTls(
  config: Config,
  context: WatchContext & { readonly logger: Logger },
): HttpTls | undefined {
  const paths = httpTlsPaths(config);
  if (paths === undefined) {
    return undefined;
  }
  try {
    const { httpTlsClientCert: clientCert = "required" } = config;
    return new HttpTls({ ...context, paths, clientCert });
  } catch (error) {
    if (error instanceof TlsError) {
      throw new ConfigError([`--http-tls-*: ${error.message}`], { cause: error });
    }
    throw error;
  }
}

/** @throws ConfigError when one of the files is named without those that it needs */
export function httpTlsPaths(config: Config): ServerTlsPaths | undefined {
  return serverTlsPaths({
    prefix: "http-tls",
    certFile: config.httpTlsCertFile,
    keyFile: config.httpTlsKeyFile,
    clientCaFile: config.httpTlsClientCaFile,
    clientCert: config.httpTlsClientCert,
  });
}
