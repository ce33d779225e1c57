import type { DatabaseAddress } from "@multipooler/controller-api";
import type { CallOptions } from "@multipooler/query-service";

/** One connection to PostgreSQL. Times in milliseconds since the epoch. */
export interface ConsoleServer {
  readonly state: "active" | "idle" | "tested" | "closed";
  readonly processId: number;
  readonly openedAt: number;
  /** 0: never. */
  readonly requestedAt: number;
  /** It is closed when it comes back. */
  readonly isBeingReplaced: boolean;
}

/** The connections of one user in one database; a user who came with several passwords has several. */
export interface ConsolePool {
  readonly database: string;
  readonly user: string;
  readonly servers: readonly ConsoleServer[];
  /** Connections that are being opened. */
  readonly dials: number;
  /** Statements and transactions that wait for a connection. */
  readonly waiting: number;
  readonly longestWaitMs: number;
}

/** What was done in a database since the process started. Durations in milliseconds. */
export interface ConsoleTotals {
  readonly logins: number;
  /** How often a connection was granted. */
  readonly grants: number;
  readonly waitMs: number;
  /** Named statements that clients have prepared. */
  readonly clientParses: number;
  /** How often one of them was prepared on a connection. */
  readonly serverParses: number;
  /** Portals that were made of them. */
  readonly binds: number;
  readonly requests: number;
  readonly transactions: number;
  readonly busyMs: number;
  readonly transactionMs: number;
  /** To PostgreSQL. */
  readonly bytesSent: number;
  /** From PostgreSQL. */
  readonly bytesReceived: number;
}

export interface ConsoleDatabase {
  readonly name: string;
  /** `undefined` while there is no server. */
  readonly address: DatabaseAddress | undefined;
  readonly isPaused: boolean;
  readonly isDisabled: boolean;
  readonly connections: number;
  readonly totals: ConsoleTotals;
}

/**
 * What the console shows of a pooler, and has it do. A name that is left out means all databases.
 * Throws and rejects with a `PoolerError` whose diagnostic is for the client.
 */
export interface ConsolePooler {
  readonly areAllPaused: boolean;
  /** 0: none. */
  readonly limits: {
    readonly capacity: number;
    readonly maxConnectionsPerUser: number;
    readonly maxConnectionsPerDatabase: number;
  };
  databases(): readonly ConsoleDatabase[];
  pools(): readonly ConsolePool[];
  /** Resolves when nothing runs any more. If the signal aborts it stays paused. */
  pause(database: string | undefined, options: CallOptions): Promise<void>;
  resume(database: string | undefined): void;
  reconnect(database: string | undefined): void;
  kill(database: string | undefined): Promise<void>;
  disable(database: string): void;
  enable(database: string): void;
}
