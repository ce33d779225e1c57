import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import type { ServerAddress } from "../src/connection/connect-options.ts";

/** Stands between a client and a server on the same machine and keeps what the server says. */
export class RecordingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets: Socket[] = [];
  readonly #chunks: Buffer[] = [];

  private constructor(server: Server, socketPath: string) {
    this.#server = server;
    server.on("connection", (client) => {
      const upstream = connect({ path: socketPath, allowHalfOpen: true });
      this.#sockets.push(client, upstream);
      upstream.on("data", (chunk: Buffer) => this.#chunks.push(chunk));
      client.pipe(upstream).pipe(client);
    });
  }

  static async start(socketPath: string): Promise<RecordingProxy> {
    // Each side ends when the other does, so that the client sees the end of the server's process.
    const server = createServer({ allowHalfOpen: true });
    const proxy = new RecordingProxy(server, socketPath);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return proxy;
  }

  get address(): ServerAddress {
    const address = this.#server.address();
    if (address === null || typeof address === "string") {
      throw new Error("no TCP server");
    }
    return { type: "tcp", host: "127.0.0.1", port: address.port };
  }

  /** Everything since the last call. */
  take(): Buffer {
    return Buffer.concat(this.#chunks.splice(0));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    this.#server.close();
    await once(this.#server, "close");
  }
}
