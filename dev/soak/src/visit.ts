import { setTimeout as elapsed } from "node:timers/promises";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import type pg from "pg";
import type { Chance } from "./chance.ts";
import { SoakConnection } from "./connection.ts";
import type { ClientAddress } from "./connection.ts";
import { sqlstateOf, WrongAnswer } from "./failure.ts";
import type { Ledger } from "./ledger.ts";

/** What a client does from its connection to its end. Rejects with whatever went wrong. */
export type Visitor = (visit: Visit) => Promise<void>;

export interface VisitOptions {
  /** Names the client, in the rows that it writes and in what it creates. */
  readonly client: string;
  readonly address: ClientAddress;
  /** For calls over gRPC. */
  readonly caller: PoolerClient;
  readonly chance: Chance;
  readonly ledger: Ledger;
}

const MOST_STEPS = 12;
const LONGEST_PAUSE_MS = 60;

/** One stay of a client at the pooler. Owns the connections that it makes. */
export class Visit implements Disposable {
  readonly client: string;
  readonly address: ClientAddress;
  readonly caller: PoolerClient;
  readonly chance: Chance;
  readonly ledger: Ledger;
  readonly #connections: SoakConnection[] = [];

  constructor(options: VisitOptions) {
    this.client = options.client;
    this.address = options.address;
    this.caller = options.caller;
    this.chance = options.chance;
    this.ledger = options.ledger;
  }

  /** Logs in to the pooler. */
  async connect(options: pg.ClientConfig = {}): Promise<SoakConnection> {
    return await SoakConnection.open(
      this.address,
      { application_name: this.client, ...options },
      (connection) => this.#connections.push(connection),
    );
  }

  /** A few steps, with the client's own time between them. */
  async *steps(): AsyncGenerator<number> {
    const count = this.chance.between(1, MOST_STEPS);
    for (let step = 0; step < count; step += 1) {
      await this.pause();
      yield step;
    }
  }

  async pause(): Promise<void> {
    await elapsed(this.chance.below(LONGEST_PAUSE_MS));
  }

  /** Writes new rows with the statement that is made of them, and notes what becomes of them. */
  async write(count: number, run: (values: string) => Promise<unknown>): Promise<void> {
    const ids = this.ledger.take(count);
    await this.ledger.commit(ids, async () => await run(this.rows(ids)));
  }

  /** Rows of the ledger, for VALUES. */
  rows(ids: readonly number[]): string {
    return ids.map((id) => `(${id}, '${this.client}')`).join();
  }

  /** Waits for a failure with this SQLSTATE; any other failure is thrown. */
  async refused(attempt: Promise<unknown>, sqlstate: string): Promise<void> {
    try {
      await attempt;
    } catch (error) {
      if (sqlstateOf(error) === sqlstate) {
        return;
      }
      throw error;
    }
    throw new WrongAnswer(`no error ${sqlstate}`);
  }

  /** @throws WrongAnswer unless both are the same */
  same(what: string, found: unknown, wanted: unknown): void {
    if (found !== wanted) {
      throw new WrongAnswer(`${what}: ${String(found)} instead of ${String(wanted)}`);
    }
  }

  /** Cuts what is still connected. */
  [Symbol.dispose](): void {
    for (const connection of this.#connections) {
      connection.vanish();
    }
  }
}
