import pg from "pg";
import type { LeakClient, StepAnswer } from "./leak-client.ts";

/** Of a prepared statement: its text is told by its end. */
const NAME_LENGTH = 20;
const DEALLOCATES = new Set(["deallocate all", "discard all"]);

/** A client with a connection to the port for drivers. */
export class ConnectedClient implements LeakClient {
  readonly number: number;
  readonly isSuperuser: boolean;
  readonly isTidy: boolean;
  readonly keepsState = true;
  readonly isLabelled = false;
  readonly #address: pg.ClientConfig;
  #client: pg.Client;
  /** How often its prepared statements were dropped, of which node-postgres does not learn. */
  #prepared = 0;

  private constructor(options: ConnectedClientOptions, client: pg.Client) {
    this.number = options.number;
    this.isSuperuser = options.isSuperuser;
    this.isTidy = options.isTidy;
    this.#address = options.address;
    this.#client = client;
  }

  static async open(options: ConnectedClientOptions): Promise<ConnectedClient> {
    return new ConnectedClient(options, await connected(options.address));
  }

  async run(sql: string): Promise<StepAnswer> {
    if (DEALLOCATES.has(sql)) {
      this.#prepared += 1;
    }
    return await this.#answer({ text: sql });
  }

  async prepared(text: string, value: string): Promise<StepAnswer> {
    return await this.#answer({
      text,
      name: `${this.#prepared} ${text.slice(-NAME_LENGTH)}`,
      values: [value],
    });
  }

  async begin(sql: string): Promise<StepAnswer> {
    await this.#client.query("begin");
    return await this.run(sql);
  }

  async conclude(conclusion: "commit" | "rollback"): Promise<StepAnswer> {
    return await this.run(conclusion);
  }

  async leave(how: "politely" | "silently"): Promise<void> {
    if (how === "politely") {
      await this.#client.end();
    } else {
      this.#client.connection.stream.destroy();
    }
    this.#client = await connected(this.#address);
  }

  async leaveOpen(sql: string): Promise<void> {
    await this.run(sql);
    await this.leave("silently");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end();
  }

  async #answer(query: {
    readonly text: string;
    readonly name?: string;
    readonly values?: string[];
  }): Promise<StepAnswer> {
    try {
      // A text of several statements has several results.
      const results = [await this.#client.query<unknown[]>({ ...query, rowMode: "array" })].flat();
      const value = results[0]?.rows[0]?.[0];
      return { value: typeof value === "string" ? value : JSON.stringify(value) };
    } catch (error) {
      if (error instanceof pg.DatabaseError && error.code !== undefined) {
        return { error: error.code };
      }
      throw error;
    }
  }
}

export interface ConnectedClientOptions {
  readonly address: pg.ClientConfig;
  readonly number: number;
  readonly isSuperuser: boolean;
  readonly isTidy: boolean;
}

async function connected(address: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(address);
  // The end of a connection shows in the next query.
  client.on("error", () => undefined);
  await client.connect();
  return client;
}
