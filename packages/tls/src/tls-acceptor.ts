import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { Server } from "node:tls";
import type { TLSSocket } from "node:tls";
import { onAbort } from "@multipooler/timing";
import { TlsError, TlsErrorCode, tlsFault } from "./error.ts";
import { ServerTlsFiles } from "./server-tls-files.ts";
import type { ServerIdentity, ServerTlsPaths } from "./server-tls-files.ts";
import type { WatchContext } from "./watched-files.ts";

export interface TlsAcceptorOptions extends WatchContext {
  readonly paths: ServerTlsPaths;
  /** Names the certificate in the log. */
  readonly what: string;
  /** The protocol that is spoken inside, as TLS names it (ALPN). */
  readonly protocol: string;
}

/**
 * What a client showed of itself.
 *
 * | type     | meaning                                                         |
 * | -------- | --------------------------------------------------------------- |
 * | none     | it has no certificate, or was not asked for one                 |
 * | rejected | it has one that none of the authorities signed, or an old one   |
 * | verified | it has one that an authority signed                             |
 */
export type ClientCertificate =
  | { readonly type: "none" }
  | { readonly type: "rejected"; readonly reason: string }
  | {
      readonly type: "verified";
      /** The common name; `undefined` where there is none, or several. */
      readonly commonName: string | undefined;
      /** See {@link subjectText}. */
      readonly subject: string;
    };

/** A connection that is encrypted now. */
export interface AcceptedTls {
  readonly socket: TLSSocket;
  /** The hash of the certificate that was shown, for channel binding. */
  readonly certificateHash: Buffer | undefined;
  readonly client: ClientCertificate;
}

/**
 * The server's side of TLS for sockets that were accepted elsewhere. Its files are read again when they
 * are replaced; connections that exist keep what they began with.
 */
export class TlsAcceptor {
  readonly #files: ServerTlsFiles;
  readonly #server: Server;
  /** Handshakes that go on, by the address of the client. */
  readonly #pending = new Map<string, PromiseWithResolvers<TLSSocket>>();
  #identity: ServerIdentity;

  /** Reads the files. @throws FILES_INVALID */
  constructor(options: TlsAcceptorOptions) {
    const { paths, protocol } = options;
    this.#files = new ServerTlsFiles(options);
    this.#identity = this.#files.identity;
    // It never listens: sockets are handed to it.
    this.#server = new Server({
      ...this.#identity.context,
      ALPNProtocols: [protocol],
      requestCert: paths.clientCaFile !== undefined,
      // The caller says what becomes of a client without a good certificate.
      rejectUnauthorized: false,
    });
    this.#server.on("secureConnection", (socket) => {
      this.#pending.get(clientOf(socket))?.resolve(socket);
    });
    this.#server.on("tlsClientError", (error, socket) => {
      this.#pending.get(clientOf(socket))?.reject(failed(tlsFault(error) ?? error.message, error));
    });
  }

  /**
   * Reads these files in place of the former ones; whether clients are asked for a certificate stays as
   * it is. Returns what has the next client meet them. @throws FILES_INVALID; then nothing has changed
   */
  prepare(paths: ServerTlsPaths): () => void {
    return this.#files.prepare(paths);
  }

  /**
   * Waits for the client of a socket to complete the handshake. Rejects with HANDSHAKE_FAILED or the
   * signal's reason; the caller destroys the socket then.
   */
  async accept(socket: Socket, { signal }: { readonly signal: AbortSignal }): Promise<AcceptedTls> {
    signal.throwIfAborted();
    const client = clientOf(socket);
    if (socket.remotePort === undefined) {
      throw failed("the client has gone away");
    }
    const { certificateHash } = this.#refresh();
    const pending = Promise.withResolvers<TLSSocket>();
    this.#pending.set(client, pending);
    const onClose = (): void => pending.reject(failed("the client has gone away"));
    socket.once("close", onClose);
    const stopListening = onAbort(signal, ({ reason }) => pending.reject(reason));
    try {
      this.#server.emit("connection", socket);
      const secure = await pending.promise;
      // What comes after the handshake must find a listener at once.
      secure.on("error", () => undefined);
      return { socket: secure, certificateHash, client: clientCertificate(secure) };
    } finally {
      stopListening();
      socket.off("close", onClose);
      this.#pending.delete(client);
    }
  }

  #refresh(): ServerIdentity {
    const { identity } = this.#files;
    if (identity !== this.#identity) {
      this.#identity = identity;
      this.#server.setSecureContext(identity.context);
    }
    return identity;
  }
}

/** Node's TLS server does not say which socket it was that it encrypted. */
function clientOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** What the client of a connection showed, whose certificate was asked for without rejecting any. */
export function clientCertificate(socket: TLSSocket): ClientCertificate {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) {
    return { type: "none" };
  }
  if (!socket.authorized) {
    return { type: "rejected", reason: String(socket.authorizationError) };
  }
  const commonName: unknown = socket.getPeerCertificate().subject.CN;
  return {
    type: "verified",
    commonName: typeof commonName === "string" ? commonName : undefined,
    subject: subjectText(certificate),
  };
}

/** The subject of a certificate as RFC 2253 writes it, e.g. "CN=gateway,O=Example": the last part first. */
export function subjectText({ subject }: X509Certificate): string {
  return subject.split("\n").toReversed().join(",");
}

function failed(why: string, cause?: Error): TlsError {
  return new TlsError(
    TlsErrorCode.HandshakeFailed,
    `the TLS handshake failed: ${why}`,
    cause === undefined ? undefined : { cause },
  );
}
