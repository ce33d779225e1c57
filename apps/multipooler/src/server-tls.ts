import { ServerTlsFiles, TlsError } from "@multipooler/tls";
import type { ServerTlsPaths, WatchContext } from "@multipooler/tls";
import { ConfigError } from "./settings/config.ts";

/** The settings of a listener whose flags are `--<prefix>-cert-file` and so on. */
export interface ServerTlsFlags {
  readonly prefix: "pg-tls" | "http-tls";
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly clientCaFile: string | undefined;
  /** What clients are asked for. */
  readonly clientCert: string | undefined;
}

/**
 * The files of a listener; `undefined` if nothing asks for TLS.
 *
 * @throws ConfigError when one of the files is named without those that it needs
 */
export function serverTlsPaths(flags: ServerTlsFlags): ServerTlsPaths | undefined {
  const { prefix, certFile, keyFile, clientCaFile, clientCert = "none" } = flags;
  if (clientCert !== "none" && clientCaFile === undefined) {
    throw new ConfigError([
      `--${prefix}-client-cert ${clientCert} needs --${prefix}-client-ca-file: the authorities of clients`,
    ]);
  }
  if (certFile !== undefined && keyFile !== undefined) {
    return { certFile, keyFile, clientCaFile };
  }
  if (certFile === undefined && keyFile === undefined && clientCaFile === undefined) {
    return undefined;
  }
  const missing = certFile === undefined ? "cert" : "key";
  throw new ConfigError([
    `--${prefix}-${missing}-file is missing: TLS needs the certificate and its key`,
  ]);
}

/**
 * Reads the files of a listener, so that a wrong one is found before anything is opened.
 *
 * @param flags those that name them, for people
 * @throws ConfigError for files that cannot be used
 */
export function checkServerTls(
  flags: string,
  paths: ServerTlsPaths | undefined,
  context: WatchContext,
): void {
  if (paths === undefined) {
    return;
  }
  try {
    // Made for what its constructor reads.
    void new ServerTlsFiles({ ...context, paths, what: flags });
  } catch (error) {
    if (error instanceof TlsError) {
      throw new ConfigError([`${flags}: ${error.message}`], { cause: error });
    }
    throw error;
  }
}
