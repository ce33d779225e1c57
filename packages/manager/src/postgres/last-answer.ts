import type { Clock } from "@multipooler/timing";
import { SqlState } from "./database-fault.ts";
import type { DatabaseFacts } from "../database/managed-database.ts";
import { ManagerError } from "../manager-error.ts";
import type { PostgresServer } from "./postgres-server.ts";

/** How long a full server that has no connection for the manager is taken to be as it was. */
const MAX_FULL_MS = 30_000;

interface Answer {
  readonly server: PostgresServer;
  readonly facts: DatabaseFacts;
  /** Monotonic milliseconds. */
  readonly at: number;
}

/** Remembers what a server last said of itself. */
export class LastAnswer {
  readonly #clock: Clock;
  #answer: Answer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  remember(server: PostgresServer, facts: DatabaseFacts): DatabaseFacts {
    this.#answer = { server, facts, at: this.#clock.monotonic() };
    return facts;
  }

  /**
   * What stands in for the answer of a server that is merely full, for it is there: to leave it would
   * cut what it still does. Throws every other error.
   */
  whileFull(server: PostgresServer, error: unknown): DatabaseFacts {
    const last = this.#answer;
    const isFull = error instanceof ManagerError && error.sqlState === SqlState.TooManyConnections;
    if (!isFull || last?.server !== server || this.#clock.monotonic() - last.at > MAX_FULL_MS) {
      throw error;
    }
    server.share.serverIsFull();
    return last.facts;
  }
}
