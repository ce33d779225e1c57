import { SoakConnection } from "./connection.ts";
import type { ClientAddress } from "./connection.ts";

/** Asks PostgreSQL for an answer over a connection that it keeps, and opens again once it is lost. */
export class Probe implements AsyncDisposable {
  readonly #address: ClientAddress;
  #connection: SoakConnection | undefined;

  constructor(address: ClientAddress) {
    this.#address = address;
  }

  /** Rejects if there is no answer, also when the signal aborts; the connection is given up then. */
  async ask({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted();
    const giveUp = (): void => this.#giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      const connection = this.#connection ?? (await this.#open());
      await connection.query("select 1");
    } catch (error) {
      this.#giveUp();
      throw error;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection?.[Symbol.asyncDispose]();
  }

  async #open(): Promise<SoakConnection> {
    return await SoakConnection.open(this.#address, {}, (made) => (this.#connection = made));
  }

  #giveUp(): void {
    this.#connection?.vanish();
    this.#connection = undefined;
  }
}
