import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";

const READY_FOR_QUERY = 0x5a;
const PROTOCOL_3_0 = 196_608;

/** A client that costs this process little: no driver, and no password. */
export class RawClient implements Disposable {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Logs in. */
  static async connect(address: string, user: string): Promise<RawClient> {
    const colon = address.lastIndexOf(":");
    const socket = connect(Number(address.slice(colon + 1)), address.slice(0, colon));
    const client = new RawClient(socket);
    socket.write(startup({ user, database: "postgres", application_name: "raw client" }));
    await client.#ready();
    return client;
  }

  /** Runs a statement, whose answer is dropped. */
  async query(sql: string): Promise<void> {
    const body = Buffer.from(`${sql}\0`);
    const header = Buffer.from([0x51, 0, 0, 0, 0]);
    header.writeInt32BE(4 + body.length, 1);
    this.#socket.write(Buffer.concat([header, body]));
    await this.#ready();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  /** Resolves when the server has said that it is ready, which is the end of what it sends. */
  async #ready(): Promise<void> {
    const signal = AbortSignal.timeout(30_000);
    let last: Buffer = Buffer.alloc(0);
    while (last.at(-6) !== READY_FOR_QUERY) {
      const [chunk]: unknown[] = await once(this.#socket, "data", { signal });
      if (Buffer.isBuffer(chunk)) {
        last = Buffer.concat([last, chunk]).subarray(-6);
      }
    }
  }
}

function startup(parameters: Readonly<Record<string, string>>): Buffer {
  const pairs = Object.entries(parameters).map(([name, value]) => `${name}\0${value}\0`);
  const body = Buffer.from(`${pairs.join("")}\0`);
  const header = Buffer.alloc(8);
  header.writeInt32BE(8 + body.length, 0);
  header.writeInt32BE(PROTOCOL_3_0, 4);
  return Buffer.concat([header, body]);
}
