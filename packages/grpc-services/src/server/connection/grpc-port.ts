import { once } from "node:events";
import { createServer } from "node:net";
import type { Server as Listener, Socket } from "node:net";
import { hostAndPort } from "@multipooler/manager";
import { untilAborted } from "@multipooler/timing";
import { GrpcServicesError, GrpcServicesErrorCode } from "../../errors/error.ts";
import type { GrpcTls } from "./grpc-tls.ts";
import type { Http2Connections } from "./http2-connections.ts";
import { listenOnSocketFile } from "./socket-file.ts";
import type { Logger } from "../../logger.ts";

export interface GrpcPortOptions {
  /** Serves the connections. Of no use any more once the port is shut down. */
  readonly connections: Http2Connections;
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** A Unix socket beside the port; `undefined`: none. */
  readonly socketFile: string | undefined;
  readonly connectionLimit: ConnectionLimit | undefined;
  /** `undefined`: connections are not encrypted. */
  readonly tls: GrpcTls | undefined;
  readonly logger: Logger;
}

/** How many clients may be connected at once. */
export interface ConnectionLimit {
  /** From 1. */
  readonly connections: number;
  /** Where the number comes from, for the log, e.g. a setting or a limit of the system. */
  readonly reason: string;
}

/** The connections of a server. */
export interface ConnectionCount {
  readonly open: number;
  /** Closed as soon as they were accepted, because the limit was reached. */
  readonly refused: number;
}

/** A TCP port, and a Unix socket beside it, whose connections speak HTTP/2. */
export class GrpcPort {
  /** The port, also when the system chose it. */
  readonly port: number;
  readonly #connections: Http2Connections;
  readonly #listener: Listener;
  /** That of the Unix socket. */
  readonly #local: Listener | undefined;
  readonly #sockets: ReadonlySet<Socket>;
  /** Aborts the handshakes that go on. */
  readonly #closing: AbortController;
  #refused = 0;
  #limit: ConnectionLimit | undefined;

  private constructor({ connections, listener, local, sockets, closing }: OpenPort) {
    const address = listener.address();
    this.port = typeof address === "object" && address !== null ? address.port : 0;
    this.#connections = connections;
    this.#listener = listener;
    this.#local = local;
    this.#sockets = sockets;
    this.#closing = closing;
  }

  /** Rejects with LISTEN_FAILED, which names the address, and leaves nothing behind then. */
  static async open(options: GrpcPortOptions): Promise<GrpcPort> {
    const { connections, host, port, socketFile, logger } = options;
    const sockets = new Set<Socket>();
    const closing = new AbortController();
    const accept = acceptorOf(options, sockets, closing.signal);
    const listener = createServer({ noDelay: true }, accept);
    try {
      listener.listen({ host, port });
      await once(listener, "listening");
    } catch (error) {
      throw listenFailed(hostAndPort(host, port), error, PORT_FAULTS);
    }
    const local = socketFile === undefined ? undefined : createServer(accept);
    try {
      await (local && socketFile && listenOnSocketFile(local, socketFile));
    } catch (error) {
      listener.close();
      throw listenFailed(String(socketFile), error, SOCKET_FAULTS);
    }
    const opened = new GrpcPort({ connections, listener, local, sockets, closing });
    opened.limit(options.connectionLimit);
    for (const each of opened.#listeners) {
      each.on("error", (err) => logger.warn({ err }, "a gRPC client could not be accepted"));
      each.on("drop", () => opened.#onDrop(logger));
    }
    return opened;
  }

  get connections(): ConnectionCount {
    return { open: this.#sockets.size, refused: this.#refused };
  }

  /**
   * Closes each connection as soon as no call runs on it, and tells its client so. Resolves when those
   * that are open now are closed, or the signal aborts.
   */
  async moveClients(signal: AbortSignal | undefined): Promise<void> {
    const leaving = [...this.#sockets].map((socket) => once(socket, "close"));
    this.#connections.leave();
    await untilAborted(Promise.allSettled(leaving), signal).catch(() => undefined);
  }

  /** Stops accepting and resolves when the last connection is closed, calls on it included. */
  async shutDown(): Promise<void> {
    this.#closing.abort();
    const closed = this.#listeners.map(async (listener) => {
      listener.close();
      await once(listener, "close");
    });
    await Promise.all([...closed, this.#connections.close()]);
  }

  /** Those that are there stay, also beyond it. */
  limit(limit: ConnectionLimit | undefined): void {
    this.#limit = limit;
    for (const listener of this.#listeners) {
      listener.maxConnections = limit?.connections ?? Number.POSITIVE_INFINITY;
    }
  }

  get #listeners(): readonly Listener[] {
    return this.#local === undefined ? [this.#listener] : [this.#listener, this.#local];
  }

  #onDrop(logger: Logger): void {
    this.#refused += 1;
    logger.warn({ ...this.#limit }, "a gRPC connection was refused: the limit is reached");
  }

  /** Cuts what is still connected. */
  cut(): void {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
  }
}

/** Takes a client in that has connected. */
function acceptorOf(
  { connections, tls }: Pick<GrpcPortOptions, "connections" | "tls">,
  sockets: Set<Socket>,
  closing: AbortSignal,
): (socket: Socket) => void {
  return (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    if (tls === undefined) {
      connections.accept(socket);
      return;
    }
    socket.on("error", () => undefined);
    void tls.accept(socket, closing).then((secure) => {
      if (secure !== undefined) {
        connections.accept(secure);
      }
    });
  };
}

interface OpenPort {
  readonly connections: Http2Connections;
  readonly listener: Listener;
  readonly local: Listener | undefined;
  readonly sockets: ReadonlySet<Socket>;
  readonly closing: AbortController;
}

/** What the system's error codes mean to the one who chose the address. */
const PORT_FAULTS: ReadonlyMap<unknown, string> = new Map([
  ["EADDRINUSE", "the port is in use"],
  ["EACCES", "the port may not be used without more privileges"],
  ["EADDRNOTAVAIL", "this machine does not have the address"],
  ["ENOTFOUND", "the name of the host is not known"],
]);

const SOCKET_FAULTS: ReadonlyMap<unknown, string> = new Map([
  ["EADDRINUSE", "it is there, and is not what a killed process has left"],
]);

function listenFailed(
  address: string,
  cause: unknown,
  faults: ReadonlyMap<unknown, string>,
): GrpcServicesError {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  const why = faults.get(code) ?? (cause instanceof Error ? cause.message : String(cause));
  return new GrpcServicesError(
    GrpcServicesErrorCode.ListenFailed,
    `cannot listen on ${address}: ${why}`,
    { cause },
  );
}
