import { EventEmitter, once } from "node:events";
import net from "node:net";

/** Something that listens and is not what it should be. Disposing ends it. */
export interface Peer extends AsyncDisposable {
  readonly port: number;
  /** Connections that were accepted so far. */
  accepted(): number;
  /** Resolves once somebody has connected. */
  visited(): Promise<void>;
  /** Resolves once nobody is connected. */
  left(): Promise<void>;
}

/** Passes a connection on to a server on this machine. */
export function passOn(port: number): (socket: net.Socket) => void {
  return (socket) => {
    const upstream = net.connect({ host: "127.0.0.1", port });
    upstream.on("error", () => socket.destroy());
    upstream.once("close", () => socket.destroy());
    socket.once("close", () => upstream.destroy());
    socket.pipe(upstream).pipe(socket);
  };
}

/** Answers the first message with bytes, and then nothing more. */
export function answerWith(bytes: Buffer): (socket: net.Socket) => void {
  return (socket) => {
    socket.once("data", () => socket.write(bytes));
  };
}

/**
 * Listens and does with each connection what it is told.
 *
 * @param address an address of this machine, and port 0 for a free one.
 */
export async function listenAsPeer(
  behave: (socket: net.Socket) => void,
  address: { readonly host: string; readonly port: number } = { host: "127.0.0.1", port: 0 },
): Promise<Peer> {
  const sockets = new Set<net.Socket>();
  const changes = new EventEmitter();
  let accepted = 0;
  const server = net.createServer((socket) => {
    accepted += 1;
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
  server.listen(address.port, address.host);
  await once(server, "listening");
  const bound = server.address();
  if (bound === null || typeof bound === "string") {
    throw new Error("no port");
  }
  return {
    port: bound.port,
    accepted: () => accepted,
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
