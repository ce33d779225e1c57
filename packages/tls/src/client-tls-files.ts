import { createSecureContext, getCACertificates } from "node:tls";
import { TlsError, TlsErrorCode } from "./error.ts";
import { readCertificates, readKey } from "./pem-files.ts";
import { checkTlsDemands } from "./tls-settings.ts";
import type { TlsDemands, TlsSettings } from "./tls-settings.ts";
import { WatchedFiles } from "./watched-files.ts";
import type { FileSource, WatchContext } from "./watched-files.ts";

/** {@link TlsSettings} with paths of PEM files in place of their content. */
export interface ClientTlsConfig extends Pick<
  TlsSettings,
  "mode" | "negotiation" | "channelBinding" | "serverName"
> {
  /** The authorities that are trusted, or "system" for those of the operating system. */
  readonly rootCertFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

/** Where authorities are those of the operating system, as in libpq. */
const SYSTEM = "system";

/** The settings of connections to a server, read again when their files are replaced. */
export class ClientTlsFiles {
  readonly #files: WatchedFiles<TlsSettings>;

  /** @throws INVALID_SETTINGS, or FILES_INVALID naming the file and the fault */
  constructor(config: ClientTlsConfig, context: WatchContext) {
    const what = "TLS of connections to PostgreSQL";
    this.#files = new WatchedFiles({ ...context, what, source: sourceOf(config) });
  }

  /** The same object until a file is replaced. */
  get settings(): TlsSettings {
    return this.#files.current;
  }

  /**
   * Reads the files of these settings. Returns what has the next connection use them.
   *
   * @throws INVALID_SETTINGS, FILES_INVALID; then nothing has changed
   */
  prepare(config: ClientTlsConfig): () => void {
    return this.#files.prepare(sourceOf(config));
  }
}

/** @throws INVALID_SETTINGS */
function sourceOf(config: ClientTlsConfig): FileSource<TlsSettings> {
  checkClientTls(config);
  return { files: watchedFiles(config), load: () => loadSettings(config) };
}

/** @throws INVALID_SETTINGS. Reads no file. */
export function checkClientTls(config: ClientTlsConfig): void {
  const { rootCertFile, certFile, keyFile } = config;
  checkTlsDemands({
    ...config,
    authorities: authoritiesOf(rootCertFile),
    hasCertificate: certFile !== undefined,
    hasKey: keyFile !== undefined,
  });
}

function authoritiesOf(rootCertFile: string | undefined): TlsDemands["authorities"] {
  if (rootCertFile === undefined) {
    return "none";
  }
  return rootCertFile === SYSTEM ? "system" : "given";
}

/** Without TLS no file matters. */
function watchedFiles(config: ClientTlsConfig): Record<string, string> {
  const { mode, rootCertFile, certFile, keyFile } = config;
  if (mode === "disable") {
    return {};
  }
  return {
    ...(rootCertFile !== undefined && rootCertFile !== SYSTEM && { rootCertFile }),
    ...(certFile !== undefined && { certFile }),
    ...(keyFile !== undefined && { keyFile }),
  };
}

function loadSettings(config: ClientTlsConfig): TlsSettings {
  const { mode, negotiation, channelBinding, serverName } = config;
  if (mode === "disable") {
    return { mode };
  }
  const { certFile, keyFile } = config;
  const settings: TlsSettings = {
    mode,
    negotiation,
    channelBinding,
    serverName,
    ca: loadAuthorities(config),
    certificate: certFile === undefined ? undefined : readCertificates(certFile),
    key: keyFile === undefined ? undefined : readKey(keyFile),
  };
  checkPair(settings, config);
  return settings;
}

function loadAuthorities({ rootCertFile }: ClientTlsConfig): string | undefined {
  if (rootCertFile === SYSTEM) {
    return systemAuthorities();
  }
  return rootCertFile === undefined ? undefined : readCertificates(rootCertFile);
}

/** An empty list would mean the authorities that Node brings along. */
function systemAuthorities(): string {
  const found = getCACertificates("system");
  if (found.length === 0) {
    throw new TlsError(
      TlsErrorCode.FilesInvalid,
      'sslrootcert is "system", and the operating system has no authorities',
    );
  }
  return found.join("\n");
}

function checkPair(
  { certificate, key }: TlsSettings,
  { certFile, keyFile }: ClientTlsConfig,
): void {
  if (certificate === undefined || key === undefined) {
    return;
  }
  try {
    createSecureContext({ cert: certificate, key });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TlsError(
      TlsErrorCode.FilesInvalid,
      `the certificate ${certFile} with the key ${keyFile} cannot be used: ${why}`,
      { cause },
    );
  }
}
