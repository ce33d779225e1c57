import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";

/** A network between a client and a server, which tests can break. */
export class TcpProxy {
  readonly #server: Server;
  readonly #port: number;
  readonly #connections = new Set<Socket>();
  #mode: "open" | "shut" | "one-way" = "open";
  #changed = Promise.withResolvers<void>();

  constructor(server: Server, port: number, target: number) {
    this.#server = server;
    this.#port = port;
    server.on("connection", (client) => this.#join(client, target));
  }

  /** A network in front of a port of this machine. */
  static async before(target: number): Promise<TcpProxy> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") {
      throw new Error("no port was given");
    }
    return new TcpProxy(server, address.port, target);
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Breaks every connection, and each new one until `mend`. */
  shut(): void {
    this.#mode = "shut";
    this.#breakAll();
  }

  mend(): void {
    this.#mode = "open";
  }

  /** Lets requests through, and nothing back, until it is shut or mended. */
  swallowAnswers(): void {
    this.#mode = "one-way";
  }

  /** Resolves once there is no connection. */
  async unused(): Promise<void> {
    while (this.#connections.size > 0) {
      await this.#changed.promise;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#breakAll();
    await closed;
  }

  #join(client: Socket, target: number): void {
    if (this.#mode === "shut") {
      client.destroy();
      return;
    }
    const server = connect(target, "127.0.0.1");
    this.#connections.add(client);
    client.pipe(server);
    server.on("data", (answer) => {
      if (this.#mode !== "one-way") {
        client.write(answer);
      }
    });
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on("error", () => {});
      one.on("close", () => {
        other.destroy();
        this.#connections.delete(client);
        this.#changed.resolve();
        this.#changed = Promise.withResolvers<void>();
      });
    }
  }

  #breakAll(): void {
    for (const connection of this.#connections) {
      connection.destroy();
    }
  }
}
