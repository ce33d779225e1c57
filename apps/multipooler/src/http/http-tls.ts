import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import type { Server, ServerOptions } from "node:https";
import { TLSSocket } from "node:tls";
import { LimitedLogger } from "@multipooler/logging";
import type { Logger } from "@multipooler/logging";
import { ServerTlsFiles, clientCertificate } from "@multipooler/tls";
import type { ServerTlsPaths, WatchContext } from "@multipooler/tls";
import type { Route } from "./route.ts";

export interface HttpTlsOptions extends WatchContext {
  readonly paths: ServerTlsPaths;
  /** Whether probes need a certificate of the authorities of clients too. Counts only with these. */
  readonly clientCert: "required" | "optional";
  readonly logger: Logger;
}

/** How long a client may take for its handshake. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Encrypts the connections of the HTTP server, and says who is answered. */
export class HttpTls {
  readonly #files: ServerTlsFiles;
  readonly #options: HttpTlsOptions;
  readonly #logger: LimitedLogger;

  /** Reads the files. @throws FILES_INVALID of @multipooler/tls */
  constructor(options: HttpTlsOptions) {
    this.#options = options;
    this.#logger = new LimitedLogger(options.logger);
    this.#files = new ServerTlsFiles({ ...options, what: "certificate of the HTTP server" });
  }

  /**
   * Reads these files in place of the former ones. Returns what has the next client meet them.
   *
   * @throws FILES_INVALID; then nothing has changed
   */
  prepare(paths: ServerTlsPaths): () => void {
    return this.#files.prepare(paths);
  }

  /** A server that shows the certificate as it is when a client connects. */
  createServer(options: ServerOptions): Server {
    let { identity } = this.#files;
    const server = createServer({
      ...options,
      ...identity.context,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      requestCert: this.#options.paths.clientCaFile !== undefined,
      // A client without a good certificate gets an answer that says so.
      rejectUnauthorized: false,
    });
    // Ahead of the listener that begins TLS.
    server.prependListener("connection", () => {
      const current = this.#files.identity;
      if (current !== identity) {
        identity = current;
        server.setSecureContext(identity.context);
      }
    });
    server.on("tlsClientError", (err) =>
      this.#logger.warn({ err }, "the TLS handshake of an HTTP client failed"),
    );
    return server;
  }

  /** Why the client of a request gets no answer; `undefined` if it does. */
  refusal({ socket, method }: IncomingMessage, route: Route | undefined): string | undefined {
    const { paths, clientCert } = this.#options;
    const isProbe = route?.type === "check" || method === "OPTIONS";
    if (paths.clientCaFile === undefined || (clientCert === "optional" && isProbe)) {
      return undefined;
    }
    const shown =
      socket instanceof TLSSocket ? clientCertificate(socket) : { type: "none" as const };
    switch (shown.type) {
      case "verified":
        return undefined;
      case "none":
        return "a certificate of the client is needed, and it has shown none";
      case "rejected":
        return `the certificate of the client is not accepted: ${shown.reason}`;
    }
  }

  /** Logs what it has counted, and leaves no timer. */
  close(): void {
    this.#logger.flush();
  }
}
