import { connect as connectSocket } from "node:net";
import type { Duplex } from "node:stream";
import pg from "pg";

/** Where the clients connect, and as whom. */
export interface ClientAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

const CANCEL_REQUEST = 80_877_102;

interface CancelKey {
  readonly processID: number;
  readonly secretKey: number;
}

/** A client's connection to the pooler, through node-postgres. */
export class SoakConnection implements AsyncDisposable {
  readonly client: pg.Client;
  readonly #address: ClientAddress;
  #key: CancelKey | undefined;
  #hasLeft = false;

  private constructor(address: ClientAddress, client: pg.Client) {
    this.#address = address;
    this.client = client;
  }

  static async open(
    address: ClientAddress,
    options: pg.ClientConfig = {},
    onMade: (connection: SoakConnection) => void = () => undefined,
  ): Promise<SoakConnection> {
    const client = new pg.Client({ ...address, ...options });
    const connection = new SoakConnection(address, client);
    onMade(connection);
    // The end of a connection shows in the next query.
    client.on("error", () => undefined);
    client.connection.on("backendKeyData", (key: CancelKey) => (connection.#key = key));
    await client.connect();
    return connection;
  }

  async query(text: string, values?: readonly unknown[]): Promise<pg.QueryResult> {
    return await this.client.query(text, values === undefined ? undefined : [...values]);
  }

  /** Runs a statement that stays prepared under this name. */
  async prepared(name: string, text: string, values: readonly unknown[]): Promise<pg.QueryResult> {
    return await this.client.query({ name, text, values: [...values] });
  }

  /** The first value of the first row, as text. */
  async value(text: string, values?: readonly unknown[]): Promise<string> {
    const { rows } = await this.query(text, values);
    const row: unknown = rows[0];
    const found: unknown[] = typeof row === "object" && row !== null ? Object.values(row) : [];
    return String(found[0]);
  }

  /** Sends bytes past node-postgres. */
  write(bytes: Uint8Array): void {
    this.client.connection.stream.write(bytes);
  }

  /** Asks for a cancellation as libpq does, over a connection of its own. */
  async cancel(): Promise<void> {
    if (this.#key === undefined) {
      throw new Error("the server gave no key to cancel with");
    }
    const socket = connectSocket(this.#address.port, this.#address.host);
    const closed = closeOf(socket);
    const request = Buffer.alloc(16);
    [16, CANCEL_REQUEST, this.#key.processID, this.#key.secretKey].forEach((word, index) =>
      request.writeInt32BE(word | 0, index * 4),
    );
    socket.resume().end(request);
    await closed;
  }

  /** Goes away without a word. Does nothing the second time. */
  vanish(): void {
    this.#hasLeft = true;
    this.client.connection.stream.destroy();
  }

  /** Leaves as a client should, if it is still there. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasLeft) {
      this.#hasLeft = true;
      await this.client.end();
    }
  }
}

/** Resolves when a socket is closed, in whatever way. */
export async function closeOf(socket: Duplex): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once("close", () => resolve());
  socket.on("error", () => undefined);
  await promise;
}
