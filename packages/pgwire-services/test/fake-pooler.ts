import type { CallOptions } from "@multipooler/query-service";
import type {
  ConsoleDatabase,
  ConsolePool,
  ConsolePooler,
  ConsoleTotals,
} from "../src/console/console-pooler.ts";
import { NO_TOTALS } from "../src/console/stats-history.ts";

/** A pooler that remembers what it was told. */
export class FakePooler implements ConsolePooler {
  areAllPaused = false;
  readonly limits: ConsolePooler["limits"] = {
    capacity: 4,
    maxConnectionsPerUser: 0,
    maxConnectionsPerDatabase: 2,
  };
  readonly told: string[] = [];
  totals: ConsoleTotals = NO_TOTALS;
  /** A PAUSE resolves when the test says so. */
  pausing: PromiseWithResolvers<void> | undefined;

  databases(): readonly ConsoleDatabase[] {
    return [
      {
        name: "app",
        address: { type: "tcp", host: "10.0.0.9", port: 5432 },
        isPaused: this.areAllPaused,
        isDisabled: false,
        connections: 1,
        totals: this.totals,
      },
    ];
  }

  pools(): readonly ConsolePool[] {
    const server = {
      state: "active",
      processId: 4711,
      openedAt: 1_000_000,
      requestedAt: 2_000_000,
      isBeingReplaced: true,
    } as const;
    return [
      {
        database: "app",
        user: "alice",
        servers: [server],
        dials: 1,
        waiting: 2,
        longestWaitMs: 1500.25,
      },
    ];
  }

  async pause(database: string | undefined, { signal }: CallOptions): Promise<void> {
    this.told.push(`pause ${database}`);
    this.pausing = Promise.withResolvers();
    signal?.addEventListener("abort", () => this.pausing?.reject(signal.reason));
    await this.pausing.promise;
  }

  resume(database: string | undefined): void {
    this.told.push(`resume ${database}`);
  }

  reconnect(database: string | undefined): void {
    this.told.push(`reconnect ${database}`);
  }

  kill(database: string | undefined): Promise<void> {
    this.told.push(`kill ${database}`);
    return Promise.resolve();
  }

  disable(database: string): void {
    this.told.push(`disable ${database}`);
  }

  enable(database: string): void {
    this.told.push(`enable ${database}`);
  }
}
