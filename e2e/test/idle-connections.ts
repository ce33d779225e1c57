import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";

const NOTHING = new Uint8Array();

/** TCP connections that say nothing, or not enough. */
export class IdleConnections implements Disposable {
  readonly #sockets: Socket[] = [];

  /** Resolves when all are connected; what the server does with them comes later. Each says `first`. */
  async open(address: string, count: number, first: Uint8Array = NOTHING): Promise<void> {
    const [host = "", port = ""] = address.split(":");
    for (let index = 0; index < count; index += 1) {
      const socket = connect(Number(port), host);
      socket.on("error", () => undefined);
      socket.resume();
      this.#sockets.push(socket);
      await Promise.race([once(socket, "connect"), once(socket, "close")]);
      if (!socket.destroyed) {
        socket.write(first);
      }
    }
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
  }
}
