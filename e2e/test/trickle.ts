import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";

const BYTES_PER_SECOND = 1024;
const INTERVAL_MS = 125;

/** A network behind which clients get what they ask for at 1 KiB a second. */
export class Trickle implements AsyncDisposable {
  readonly address: string;
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, { port, target }: { port: number; target: number }) {
    this.port = port;
    this.address = `127.0.0.1:${port}`;
    this.#server = server;
    server.on("connection", (client) => this.#join(client, connect(target, "127.0.0.1")));
  }

  /** In front of an address of this machine. */
  static async before(address: string): Promise<Trickle> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const bound = server.address();
    if (bound === null || typeof bound === "string") {
      throw new Error("no port was given");
    }
    return new Trickle(server, { port: bound.port, target: Number(address.split(":").at(-1)) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    await closed;
  }

  #join(client: Socket, server: Socket): void {
    client.pipe(server);
    // Nothing flows by itself: what is not read stays in the kernel, and then at the sender.
    server.pause();
    const trickle = setInterval(() => {
      const bytes: unknown = server.read((BYTES_PER_SECOND * INTERVAL_MS) / 1000) ?? server.read();
      if (bytes instanceof Buffer) {
        client.write(bytes);
      }
    }, INTERVAL_MS);
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.once("close", () => {
        this.#sockets.delete(socket);
        clearInterval(trickle);
        client.destroy();
        server.destroy();
      });
    }
  }
}
