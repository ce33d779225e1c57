import { once } from "node:events";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import type { Logger } from "@multipooler/logging";
import { hostAndPort } from "@multipooler/manager";
import { PgwireServicesError, PgwireServicesErrorCode } from "../error.ts";

export interface ClientPortOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Further connections are closed as soon as they are accepted. */
  readonly maxConnections: number;
  /** How long a connection may be silent before the system asks whether it is there; 0: it never does. */
  readonly keepAliveMs: number;
  readonly onConnection: (socket: Socket) => void;
  readonly logger: Logger;
}

/** Clients that wait to be accepted: those of an application that comes back at once. */
const BACKLOG = 1024;

/** A TCP port that clients connect to. */
export class ClientPort {
  /** The port, also when the system chose it. */
  readonly port: number;
  readonly #listener: Server;
  #refused = 0;

  private constructor(listener: Server) {
    const address = listener.address();
    this.port = typeof address === "object" && address !== null ? address.port : 0;
    this.#listener = listener;
  }

  /** Rejects with LISTEN_FAILED, which names the address, and leaves nothing behind then. */
  static async open(options: ClientPortOptions): Promise<ClientPort> {
    const { host, port, maxConnections, keepAliveMs, onConnection, logger } = options;
    const listener = createServer(
      {
        // The client's end is seen to by who serves it, and nothing is read before that.
        allowHalfOpen: true,
        pauseOnConnect: false,
        noDelay: true,
        keepAlive: keepAliveMs > 0,
        keepAliveInitialDelay: keepAliveMs,
      },
      onConnection,
    );
    try {
      listener.listen({ host, port, backlog: BACKLOG });
      await once(listener, "listening");
    } catch (error) {
      throw listenFailed(hostAndPort(host, port), error);
    }
    listener.on("error", (err) => logger.warn({ err }, "a client could not be accepted"));
    listener.maxConnections = maxConnections;
    const opened = new ClientPort(listener);
    listener.on("drop", () => {
      opened.#refused += 1;
      logger.warn(
        { connections: listener.maxConnections },
        "a connection of a client was refused: the limit is reached",
      );
    });
    return opened;
  }

  /** Gives another limit of connections; those that are there stay. */
  limit(maxConnections: number): void {
    this.#listener.maxConnections = maxConnections;
  }

  /** Connections that were closed as soon as they were accepted. */
  get refused(): number {
    return this.#refused;
  }

  /** Stops accepting. Resolves when all connections are closed too. */
  async close(): Promise<void> {
    const closed = once(this.#listener, "close");
    this.#listener.close();
    await closed;
  }
}

/** What the system's error codes mean to the one who chose the address. */
const LISTEN_FAULTS: ReadonlyMap<unknown, string> = new Map([
  ["EADDRINUSE", "the port is in use"],
  ["EACCES", "the port may not be used without more privileges"],
  ["EADDRNOTAVAIL", "this machine does not have the address"],
  ["ENOTFOUND", "the name of the host is not known"],
]);

function listenFailed(address: string, cause: unknown): PgwireServicesError {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  const why = LISTEN_FAULTS.get(code) ?? (cause instanceof Error ? cause.message : String(cause));
  return new PgwireServicesError(
    PgwireServicesErrorCode.ListenFailed,
    `cannot listen on ${address} for clients: ${why}`,
    { cause },
  );
}
