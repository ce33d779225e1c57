import type { SessionState } from "@multipooler/query-service";

/** Who uses a pooler, and what for. Times in milliseconds since the epoch, durations in milliseconds. */
export interface PoolerActivity {
  readonly nowMs: number;
  /** Connections to PostgreSQL that there may be at most. */
  readonly capacity: number;
  readonly pools: readonly ActivePool[];
  readonly databases: readonly ActiveDatabase[];
  readonly clients: readonly ActiveClient[];
  readonly reservations: readonly ActiveReservation[];
}

/** The connections of one user in one database. */
export interface ActivePool {
  readonly database: string;
  readonly user: string;
  readonly servers: readonly { readonly state: "active" | "idle" | "tested" | "closed" }[];
  /** Connections that are being opened. */
  readonly dials: number;
  /** As many it may have now. */
  readonly limit: number;
  /** Of its connections those that reservations hold. */
  readonly reservations: number;
  readonly waiting: number;
  readonly longestWaitMs: number;
}

/** What was done in one database since the process started. */
export interface ActiveDatabase {
  readonly name: string;
  readonly isPaused: boolean;
  readonly isDisabled: boolean;
  readonly totals: {
    readonly grants: number;
    readonly waitMs: number;
    readonly requests: number;
    readonly transactions: number;
    readonly busyMs: number;
    readonly bytesSent: number;
    readonly bytesReceived: number;
  };
}

/** A client of PostgreSQL's protocol. */
export interface ActiveClient {
  readonly id: number;
  /** `undefined` while it logs in. */
  readonly identity:
    | { readonly user: string; readonly database: string; readonly applicationName: string }
    | undefined;
  /** `undefined` before its session is open. */
  readonly state: SessionState | undefined;
  readonly address: string;
  readonly port: number;
  readonly connectedAt: number;
  /** Empty without TLS. */
  readonly tls: string;
}

/** A connection that a caller of gRPC holds between its calls. */
export interface ActiveReservation {
  readonly id: bigint;
  readonly database: string;
  readonly user: string;
  /** Names of `ReservationReason`; none while it waits for its connection. */
  readonly reasons: readonly string[];
  /** The server process; 0 while it waits for its connection. */
  readonly processId: number;
  readonly sinceMs: number;
  /** How long nothing has run in it. */
  readonly idleMs: number;
}
