import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";

const BYTES_PER_SECOND = 1024;
const INTERVAL_MS = 125;

interface TrickleOptions {
  readonly port: number;
  readonly target: number;
  readonly bytesPerSecond: number;
}

/** A network behind which clients get what they ask for slowly. */
export class Trickle implements AsyncDisposable {
  readonly address: string;
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, { port, target, bytesPerSecond }: TrickleOptions) {
    this.port = port;
    this.address = `127.0.0.1:${port}`;
    this.#server = server;
    const pieceBytes = (bytesPerSecond * INTERVAL_MS) / 1000;
    server.on("connection", (client) => {
      this.#join(client, connect(target, "127.0.0.1"), pieceBytes);
    });
  }

  /** In front of an address of this machine. Default: 1 KiB a second. */
  static async before(
    address: string,
    bytesPerSecond: number = BYTES_PER_SECOND,
  ): Promise<Trickle> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const bound = server.address();
    if (bound === null || typeof bound === "string") {
      throw new Error("no port was given");
    }
    const target = Number(address.split(":").at(-1));
    return new Trickle(server, { port: bound.port, target, bytesPerSecond });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    await closed;
  }

  #join(client: Socket, server: Socket, pieceBytes: number): void {
    client.pipe(server);
    // Nothing flows by itself: what is not read stays in the kernel, and then at the sender.
    server.pause();
    const trickle = setInterval(() => {
      const bytes: unknown = server.read(pieceBytes) ?? server.read();
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
