import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import type { ServerAddress } from "../src/connection/connect-options.ts";

/** A message that a client sent. */
export interface ClientMessage {
  readonly type: string;
  readonly body: Buffer;
}

/** The server's end of one connection, read message by message. */
export class Peer {
  readonly socket: Socket;
  /** Resolves when the client has ended its side or broken off. */
  readonly clientEnd: Promise<void>;
  #received: Buffer = Buffer.alloc(0);
  #ended = false;
  #wake = Promise.withResolvers<void>();

  constructor(socket: Socket) {
    this.socket = socket;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.clientEnd = promise;
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake.resolve();
    });
    for (const event of ["end", "error", "close"]) {
      socket.on(event, () => {
        this.#ended = true;
        this.#wake.resolve();
        resolve();
      });
    }
  }

  /** Whether the client has ended its side or broken off. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  /** What has arrived and was not read as a message. */
  get received(): Buffer {
    return this.#received;
  }

  /** The body of a message without a type: StartupMessage or CancelRequest. */
  async untyped(): Promise<Buffer> {
    const length = (await this.#atLeast(4)).readInt32BE();
    return (await this.#take(length)).subarray(4);
  }

  async message(): Promise<ClientMessage> {
    const length = (await this.#atLeast(5)).readInt32BE(1);
    const bytes = await this.#take(length + 1);
    return { type: bytes.toString("latin1", 0, 1), body: bytes.subarray(5) };
  }

  /** Reads a message that has to be a query, and returns its text. */
  async query(): Promise<string> {
    const { type, body } = await this.message();
    if (type !== "Q") {
      throw new Error(`a query was expected, not '${type}'`);
    }
    return body.toString("utf8", 0, body.length - 1);
  }

  write(...parts: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  async #take(count: number): Promise<Buffer> {
    const bytes = await this.#atLeast(count);
    this.#received = bytes.subarray(count);
    return bytes.subarray(0, count);
  }

  async #atLeast(count: number): Promise<Buffer> {
    while (this.#received.length < count) {
      if (this.#ended) {
        throw new Error("the client is gone");
      }
      await this.#wake.promise;
      this.#wake = Promise.withResolvers<void>();
    }
    return this.#received;
  }
}

/**
 * A server on loopback that plays one script for each connection. Disposing waits for the clients
 * to have ended every connection, so that a test whose client leaves one open does not end; and it
 * fails if a script has failed.
 */
export class ScriptedServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #scripts: Promise<void>[] = [];
  readonly #peers: Peer[] = [];

  private constructor(server: Server, script: (peer: Peer) => Promise<void> | void) {
    this.#server = server;
    server.on("connection", (socket) => {
      const peer = new Peer(socket);
      this.#peers.push(peer);
      const run = (async () => await script(peer))();
      run.catch(() => socket.destroy());
      this.#scripts.push(run);
    });
  }

  static async start(script: (peer: Peer) => Promise<void> | void): Promise<ScriptedServer> {
    // Half open: the server ends its side when the script says so, or when it is disposed.
    const server = createServer({ allowHalfOpen: true });
    const scripted = new ScriptedServer(server, script);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return scripted;
  }

  get address(): ServerAddress {
    return { type: "tcp", host: "127.0.0.1", port: this.#port };
  }

  get connectionCount(): number {
    return this.#peers.length;
  }

  /** Takes no more connections. */
  stopListening(): void {
    this.#server.close();
  }

  get #port(): number {
    const address: AddressInfo | string | null = this.#server.address();
    if (address === null || typeof address === "string") {
      throw new Error("no TCP server");
    }
    return address.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const results = await Promise.allSettled(this.#scripts);
    await Promise.all(this.#peers.map(({ clientEnd }) => clientEnd));
    for (const { socket } of this.#peers) {
      socket.destroy();
    }
    if (this.#server.listening) {
      this.#server.close();
      await once(this.#server, "close");
    }
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) {
      throw failed.reason;
    }
  }
}

/** A port of loopback where nobody listens. */
export async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") {
    throw new Error("no TCP server");
  }
  return address.port;
}
