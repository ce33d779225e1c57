import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { Protocol, cancelRequest, startup } from "./frontend.ts";
import type { Peer } from "./peer.ts";
import { Transcript } from "./transcript.ts";

/** A client over TCP that a server lets in without a password. */
export class WireClient implements Peer, AsyncDisposable {
  readonly transcript: Transcript = new Transcript();
  readonly #port: number;
  readonly #socket: Socket;

  /** Connects and sends the first message; what it is answered is in the transcript. */
  static async connect(
    port: number,
    parameters: Readonly<Record<string, string>>,
    protocol: Protocol = Protocol.V3_0,
  ): Promise<WireClient> {
    const client = new WireClient(port, await opened(port));
    client.#socket.write(startup(parameters, protocol));
    return client;
  }

  private constructor(port: number, socket: Socket) {
    this.#port = port;
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.transcript.push(chunk));
    // The end of the socket is what counts.
    socket.on("error", () => undefined);
    socket.on("close", () => this.transcript.end());
  }

  /** Sends each piece in a write and a turn of the event loop of its own. */
  async send(pieces: readonly Buffer[]): Promise<void> {
    for (const piece of pieces) {
      if (this.#socket.writable) {
        this.#socket.write(piece);
      }
      await turn();
    }
  }

  /** PostgreSQL closes the connection once it has passed the request on. */
  async cancel(): Promise<void> {
    const socket = await opened(this.#port);
    const closed = once(socket, "close");
    socket.resume();
    socket.write(cancelRequest(this.transcript.key));
    await closed;
  }

  async vanish(): Promise<void> {
    if (!this.#socket.closed) {
      this.#socket.destroy();
      await once(this.#socket, "close");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.vanish();
  }
}

async function opened(port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  await once(socket, "connect");
  return socket;
}
