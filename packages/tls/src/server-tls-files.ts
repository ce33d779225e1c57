import { constants } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { SecureContextOptions } from "node:tls";
import { certificateHash } from "./certificate-hash.ts";
import { TlsError, TlsErrorCode } from "./error.ts";
import { firstCertificate, readCertificates, readKey } from "./pem-files.ts";
import { WatchedFiles } from "./watched-files.ts";
import type { FileSource, WatchContext } from "./watched-files.ts";

/** Paths of PEM files of a server. */
export interface ServerTlsPaths {
  /** The certificate, and those that lead from it to one that clients know. */
  readonly certFile: string;
  readonly keyFile: string;
  /** Further certificates that lead there, if they are in a file of their own. */
  readonly chainFile?: string | undefined;
  /** The authorities of clients. With them every client is asked for a certificate. */
  readonly clientCaFile?: string | undefined;
}

/** What a server shows to its clients, and what it knows them by. */
export interface ServerIdentity {
  readonly context: SecureContextOptions;
  /** The hash of the certificate for channel binding; `undefined` where its algorithm names none. */
  readonly certificateHash: Buffer | undefined;
}

/** The identity of a server, read again when one of its files is replaced. */
export class ServerTlsFiles {
  readonly #files: WatchedFiles<ServerIdentity>;

  /**
   * `what` names the certificate in the log.
   *
   * @throws FILES_INVALID, naming the file and the fault
   */
  constructor(options: WatchContext & { readonly paths: ServerTlsPaths; readonly what: string }) {
    this.#files = new WatchedFiles({ ...options, source: sourceOf(options.paths) });
  }

  /** The same object until a file is replaced. */
  get identity(): ServerIdentity {
    return this.#files.current;
  }

  /** See {@link WatchedFiles.prepare}. @throws FILES_INVALID */
  prepare(paths: ServerTlsPaths): () => void {
    return this.#files.prepare(sourceOf(paths));
  }
}

function sourceOf(paths: ServerTlsPaths): FileSource<ServerIdentity> {
  const { certFile, keyFile, chainFile, clientCaFile } = paths;
  return {
    files: {
      certFile,
      keyFile,
      ...(chainFile !== undefined && { chainFile }),
      ...(clientCaFile !== undefined && { clientCaFile }),
    },
    load: () => load(paths),
  };
}

function load({ certFile, keyFile, chainFile, clientCaFile }: ServerTlsPaths): ServerIdentity {
  const own = readCertificates(certFile);
  const context: SecureContextOptions = {
    cert: chainFile === undefined ? own : `${own}\n${readCertificates(chainFile)}`,
    key: readKey(keyFile),
    minVersion: "TLSv1.2",
    // A session that is resumed would keep a client that the new authorities do not know.
    secureOptions: constants.SSL_OP_NO_TICKET,
    ...(clientCaFile !== undefined && { ca: readCertificates(clientCaFile) }),
  };
  try {
    createSecureContext(context);
    return { context, certificateHash: certificateHash(firstCertificate(own)) };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TlsError(
      TlsErrorCode.FilesInvalid,
      `the certificate ${certFile} with the key ${keyFile} cannot be used: ${why}`,
      { cause },
    );
  }
}
