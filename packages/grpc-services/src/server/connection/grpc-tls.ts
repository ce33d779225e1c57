import type { Socket } from "node:net";
import type { LimitedLogger } from "@multipooler/logging";
import { Deadline, systemClock } from "@multipooler/timing";
import { TlsAcceptor, TlsError } from "@multipooler/tls";
import type { ServerTlsPaths } from "@multipooler/tls";
import { GrpcServicesError, GrpcServicesErrorCode } from "../../errors/error.ts";

/** How the connections of gRPC clients are encrypted, and which clients are served. */
export interface GrpcTlsOptions extends ServerTlsPaths {
  /**
   * Parts of a certificate's subject, as RFC 2253 writes it, e.g. "CN=gateway,O=Example". Calls of clients
   * with none of them get UNAUTHENTICATED. Needs `clientCaFile`. Default: every client is served that has
   * a certificate of `clientCaFile`.
   */
  readonly allowedSubjects?: readonly string[] | undefined;
}

/** HTTP/2's name in TLS (ALPN). */
const HTTP2 = "h2";
/** How long a client may take for its handshake. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Encrypts the connections of a gRPC server. */
export class GrpcTls {
  readonly #acceptor: TlsAcceptor;
  readonly #demandsCertificate: boolean;
  readonly #logger: LimitedLogger;

  /** Reads the files. @throws INVALID_ARGUMENT, TLS_FILES_INVALID */
  constructor(options: GrpcTlsOptions, logger: LimitedLogger) {
    checkSubjects(options);
    this.#logger = logger;
    this.#demandsCertificate = options.clientCaFile !== undefined;
    this.#acceptor = openAcceptor(options, logger);
  }

  /** See `TlsAcceptor.prepare`. @throws TLS_FILES_INVALID */
  prepare(paths: ServerTlsPaths): () => void {
    return withTlsFaults(() => this.#acceptor.prepare(paths));
  }

  /**
   * Completes the handshake of a connection. `undefined`: it failed, or the client may not connect; the
   * socket is destroyed then.
   */
  async accept(socket: Socket, signal: AbortSignal): Promise<Socket | undefined> {
    using deadline = new Deadline({
      clock: systemClock,
      ms: HANDSHAKE_TIMEOUT_MS,
      what: "the TLS handshake",
      signal,
    });
    try {
      const accepted = await this.#acceptor.accept(socket, { signal: deadline.signal });
      const { type } = accepted.client;
      if (!this.#demandsCertificate || type === "verified") {
        return accepted.socket;
      }
      const reason =
        accepted.client.type === "rejected" ? accepted.client.reason : "none was shown";
      this.#logger.warn({ reason }, "a gRPC client has no certificate that is accepted");
      accepted.socket.destroy();
    } catch (err) {
      if (!signal.aborted) {
        this.#logger.warn({ err }, "the TLS handshake of a gRPC client failed");
      }
    }
    socket.destroy();
    return undefined;
  }
}

function checkSubjects({ allowedSubjects, clientCaFile }: GrpcTlsOptions): void {
  if (allowedSubjects === undefined) {
    return;
  }
  if (clientCaFile === undefined) {
    throw invalid(
      "tls.allowedSubjects needs tls.clientCaFile: nobody vouches for subjects without",
    );
  }
  if (allowedSubjects.length === 0 || allowedSubjects.includes("")) {
    throw invalid(
      "tls.allowedSubjects is empty, or holds the empty text, which is in every subject",
    );
  }
}

function openAcceptor(paths: ServerTlsPaths, logger: LimitedLogger): TlsAcceptor {
  const what = "certificate of the gRPC server";
  return withTlsFaults(
    () => new TlsAcceptor({ paths, what, protocol: HTTP2, clock: systemClock, logger }),
  );
}

/** @throws TLS_FILES_INVALID for a fault of the files */
function withTlsFaults<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof TlsError) {
      throw new GrpcServicesError(GrpcServicesErrorCode.TlsFilesInvalid, error.message, {
        cause: error,
      });
    }
    throw error;
  }
}

function invalid(problem: string): GrpcServicesError {
  return new GrpcServicesError(GrpcServicesErrorCode.InvalidArgument, problem);
}
