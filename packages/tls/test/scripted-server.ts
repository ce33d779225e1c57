import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";

/** A server that does with each connection what the test wants. */
export class ScriptedServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #accepted = 0;

  private constructor(serve: (socket: Socket) => void) {
    this.#server = createServer((socket) => {
      this.#accepted += 1;
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.once("close", () => this.#sockets.delete(socket));
      serve(socket);
    });
  }

  static async start(serve: (socket: Socket) => void): Promise<ScriptedServer> {
    const started = new ScriptedServer(serve);
    started.#server.listen(0, "127.0.0.1");
    await once(started.#server, "listening");
    return started;
  }

  /** Connections so far. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Connections that are open. */
  get open(): number {
    return this.#sockets.size;
  }

  readonly dial = async (): Promise<Socket> => {
    const address = this.#server.address();
    if (address === null || typeof address === "string") {
      throw new Error("the server does not listen");
    }
    const socket = connect({ host: "127.0.0.1", port: address.port });
    await once(socket, "connect");
    return socket;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    this.#server.close();
    await once(this.#server, "close");
  }
}
