import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";

/** A network in front of a server, on which connections can fall silent without a reset. */
export class TcpProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Connections that carry nothing any more. */
  readonly #silent = new Set<Socket>();
  readonly #onBytes: (bytes: Buffer) => void;
  readonly port: number;

  private constructor(
    server: Server,
    { port, target, onBytes }: { port: number; target: number; onBytes: (bytes: Buffer) => void },
  ) {
    this.#server = server;
    this.#onBytes = onBytes;
    this.port = port;
    server.on("connection", (client) => this.#join(client, target));
  }

  /** A network in front of a port of this machine. `onBytes` sees everything that it carries. */
  static async before(
    target: number,
    onBytes: (bytes: Buffer) => void = () => undefined,
  ): Promise<TcpProxy> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") {
      throw new Error("no port was given");
    }
    return new TcpProxy(server, { port: address.port, target, onBytes });
  }

  /** The connections of now carry nothing from here on; new ones do. */
  swallow(): void {
    for (const socket of this.#sockets) {
      this.#silent.add(socket);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    await closed;
  }

  #join(client: Socket, target: number): void {
    const server = connect(target, "127.0.0.1");
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.on("data", (bytes: Buffer) => {
        this.#onBytes(bytes);
        if (!this.#silent.has(from)) {
          to.write(bytes);
        }
      });
      from.on("error", () => undefined);
      from.on("close", () => {
        this.#sockets.delete(from);
        // A silent network does not tell the other side about the end either.
        if (!this.#silent.has(from)) {
          to.destroy();
        }
      });
    }
  }
}
