import { connect } from "node:net";
import type { Socket } from "node:net";
import { once } from "node:events";
import { decodeDiagnostic, decodeParameterStatus } from "@multipooler/query-service";

/** A message that the server sent, or a byte in answer to a request for encryption. */
export interface ServerMessage {
  readonly type: string;
  readonly bytes: Buffer;
}

/** A client that says what the test wants, and reads message by message. */
export class RawClient implements AsyncDisposable {
  socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #hasEnded = false;
  #change = Promise.withResolvers<void>();

  private constructor(socket: Socket) {
    this.socket = socket;
    this.attach(socket);
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true });
    await once(socket, "connect");
    return new RawClient(socket);
  }

  /** Goes on with another socket, e.g. one of TLS. */
  attach(socket: Socket): void {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    for (const event of ["end", "close", "error"]) {
      socket.on(event, () => {
        this.#hasEnded = true;
        this.#wake();
      });
    }
  }

  get received(): Buffer {
    return this.#received;
  }

  send(...parts: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  async byte(): Promise<string> {
    return (await this.take(1)).toString("latin1");
  }

  async message(): Promise<ServerMessage> {
    const header = await this.#atLeast(5);
    const bytes = await this.take(header.readInt32BE(1) + 1);
    return { type: bytes.toString("latin1", 0, 1), bytes };
  }

  /** Everything up to ReadyForQuery or an error, in words: `R 0`, `S name=value`, `FATAL 28P01 …`. */
  async answers(): Promise<string[]> {
    const words: string[] = [];
    for (;;) {
      const message = await this.message();
      words.push(wordsOf(message));
      if (message.type === "Z" || message.type === "E") {
        return words;
      }
    }
  }

  /** Waits for the server to end its side. Returns what came besides. */
  async end(): Promise<string> {
    while (!this.#hasEnded) {
      await this.#changed();
    }
    return this.#received.toString("latin1");
  }

  async take(count: number): Promise<Buffer> {
    const bytes = await this.#atLeast(count);
    this.#received = bytes.subarray(count);
    return bytes.subarray(0, count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.socket.destroyed) {
      this.socket.destroy();
      await once(this.socket, "close");
    }
  }

  async #atLeast(count: number): Promise<Buffer> {
    while (this.#received.length < count) {
      if (this.#hasEnded) {
        throw new Error(
          `the server ended after ${JSON.stringify(this.#received.toString("latin1"))}`,
        );
      }
      await this.#changed();
    }
    return this.#received;
  }

  async #changed(): Promise<void> {
    await this.#change.promise;
    this.#change = Promise.withResolvers();
  }

  #wake(): void {
    this.#change.resolve();
  }
}

function wordsOf({ type, bytes }: ServerMessage): string {
  switch (type) {
    case "R":
    case "v":
      return `${type} ${bytes.readInt32BE(5)}`;
    case "S": {
      const { name, value } = decodeParameterStatus(bytes);
      return `S ${name}=${value}`;
    }
    case "K":
      return `K ${bytes.length - 9}`;
    case "E": {
      const { severity, code, message } = decodeDiagnostic(bytes);
      return `${severity} ${code} ${message}`;
    }
    default:
      return `${type} ${bytes.toString("latin1", 5)}`;
  }
}
