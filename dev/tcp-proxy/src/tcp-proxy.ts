import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";

/**
 * | mode    | connections                                     |
 * | ------- | ----------------------------------------------- |
 * | open    | carry everything, unless they were made silent  |
 * | one-way | carry what clients send, and nothing back       |
 * | full    | carry everything; new ones are broken at once   |
 * | shut    | are broken at once                              |
 */
type Mode = "open" | "one-way" | "full" | "shut";

/** The bytes of one direction. */
interface Direction {
  readonly from: Socket;
  readonly to: Socket;
  readonly isAnswer: boolean;
}

/** A network between a client and a server, which tests can break or silence. */
export class TcpProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #onBytes: (bytes: Buffer) => void;
  readonly #sockets = new Set<Socket>();
  /** Those that carry nothing any more, without a sign. */
  readonly #silent = new Set<Socket>();
  readonly port: number;
  #mode: Mode = "open";
  #closed = Promise.withResolvers<void>();

  private constructor(
    server: Server,
    options: {
      readonly port: number;
      readonly target: number;
      readonly onBytes: (bytes: Buffer) => void;
    },
  ) {
    this.#server = server;
    this.#onBytes = options.onBytes;
    this.port = options.port;
    server.on("connection", (client) => this.#join(client, options.target));
  }

  /** A network in front of a port of this machine. `onBytes` sees everything that arrives at it. */
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

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Breaks every connection, and each new one until `mend`. */
  shut(): void {
    this.#mode = "shut";
    this.#breakAll();
  }

  /** Breaks each new connection until `mend`; those of now go on. */
  refuseNew(): void {
    this.#mode = "full";
  }

  mend(): void {
    this.#mode = "open";
  }

  /** Lets requests through, and nothing back, until it is shut or mended. */
  swallowAnswers(): void {
    this.#mode = "one-way";
  }

  /** The connections of now carry nothing from here on; new ones do. */
  swallow(): void {
    for (const socket of this.#sockets) {
      this.#silent.add(socket);
    }
  }

  /** Resolves once there is no connection. */
  async unused(): Promise<void> {
    while (this.#sockets.size > 0) {
      await this.#closed.promise;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#breakAll();
    await closed;
  }

  #join(client: Socket, target: number): void {
    if (this.#mode === "shut" || this.#mode === "full") {
      client.destroy();
      return;
    }
    const server = connect(target, "127.0.0.1");
    this.#carry({ from: client, to: server, isAnswer: false });
    this.#carry({ from: server, to: client, isAnswer: true });
  }

  #carry({ from, to, isAnswer }: Direction): void {
    this.#sockets.add(from);
    from.on("data", (bytes: Buffer) => {
      this.#onBytes(bytes);
      if (!this.#silent.has(from) && !(isAnswer && this.#mode === "one-way")) {
        to.write(bytes);
      }
    });
    from.on("error", () => undefined);
    from.on("close", () => {
      this.#sockets.delete(from);
      // A silent network does not tell the other side about the end either.
      if (!this.#silent.delete(from)) {
        to.destroy();
      }
      this.#closed.resolve();
      this.#closed = Promise.withResolvers();
    });
  }

  #breakAll(): void {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
  }
}
