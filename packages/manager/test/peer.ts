import { EventEmitter, once } from "node:events";
import net from "node:net";

/** Something that listens and is not what it should be. Disposing ends it. */
export interface Peer extends AsyncDisposable {
  readonly port: number;
  /** Resolves once somebody has connected. */
  visited(): Promise<void>;
  /** Resolves once nobody is connected. */
  left(): Promise<void>;
}

/** Listens on a free port and does with each connection what it is told. */
export async function listenAsPeer(behave: (socket: net.Socket) => void): Promise<Peer> {
  const sockets = new Set<net.Socket>();
  const changes = new EventEmitter();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    changes.emit("change");
    socket.on("error", () => undefined);
    socket.once("close", () => {
      sockets.delete(socket);
      changes.emit("change");
    });
    behave(socket);
    socket.resume();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") {
    throw new Error("no port");
  }
  return {
    port: address.port,
    visited: async () => {
      while (sockets.size === 0) {
        await once(changes, "change");
      }
    },
    left: async () => {
      while (sockets.size > 0) {
        await once(changes, "change");
      }
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) {
        socket.destroy();
      }
      await closed;
    },
  };
}
