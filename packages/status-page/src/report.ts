/** A status that is served or wanted, and why. */
export interface ServingReport {
  readonly status: string;
  readonly role: string;
  readonly reason: string;
}

/** The pool of one user in one database. */
export interface PoolRow {
  readonly database: string;
  readonly user: string;
  /** Connections that somebody has. */
  readonly used: number;
  readonly idle: number;
  /** Connections that are cleaned or checked before somebody gets them. */
  readonly tested: number;
  /** Connections that are being opened. */
  readonly dials: number;
  /** Connections that it may have now. */
  readonly limit: number;
  /** Of those in use the ones that reservations of gRPC callers hold. */
  readonly reservations: number;
  readonly waiting: number;
  readonly longestWaitMs: number;
}

/** Somebody who has a connection. */
export interface HolderRow {
  /** "client 12", as the admin console numbers it, or "reservation 7". */
  readonly who: string;
  readonly user: string;
  readonly database: string;
  readonly application: string;
  readonly address: string;
  readonly why: string;
  readonly forMs: number;
}

/** A change of the serving status. */
export interface TransitionRow {
  readonly startedAt: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly outcome: string;
  readonly durationMs: number;
  readonly attempts: number;
  readonly error: string | undefined;
}

/** A pooler of the same shard, as the topology has it. */
export interface PeerRow {
  readonly name: string;
  readonly isSelf: boolean;
  readonly type: string;
  readonly serving: string;
  readonly lifecycle: string;
  readonly since: string | undefined;
  readonly address: string;
}

/** Clients of one transport. */
export interface ClientCounts {
  readonly open: number;
  readonly limit: number;
  /** Turned away since the start. */
  readonly refused: number;
}

/** What was done in one second, and how it was at its end. */
export interface WorkSample {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** Requests that PostgreSQL has answered, each second. */
  readonly requests: number;
  /** Transactions that have ended, each second. */
  readonly transactions: number;
  /** Errors that PostgreSQL has answered with, each second. */
  readonly errors: number;
  /** How long PostgreSQL took for half of them, for 95 and for 99 of 100; `undefined` where there was none. */
  readonly times:
    | { readonly p50Ms: number; readonly p95Ms: number; readonly p99Ms: number }
    | undefined;
  /** Connections that somebody had. */
  readonly used: number;
  /** Requests that waited for a connection. */
  readonly waiting: number;
  /** How long the one had waited that waited longest; 0 where none did. */
  readonly longestWaitMs: number;
  /** Bytes to and from PostgreSQL, each second. */
  readonly bytes: number;
  /** Of a replica; `undefined` elsewhere, and where it is not known. */
  readonly lagMs: number | undefined;
}

export interface ReplicationReport {
  /** off: no heartbeat yet; writer: of a primary; reader: of a replica. */
  readonly mode: "off" | "writer" | "reader";
  readonly lagMs: number | undefined;
  readonly behindBytes: number | undefined;
  readonly lastWrittenAt: string | undefined;
  readonly error: string | undefined;
}

/** Everything that the page shows. Times are ISO 8601, durations milliseconds. */
export interface StatusReport {
  readonly at: string;
  readonly version: string;
  readonly startedAt: string;
  readonly pooler: {
    readonly cell: string;
    readonly name: string;
    readonly database: string;
    readonly tableGroup: string;
    readonly shard: string;
  };
  /** starting, ready, error, or stopping. */
  readonly state: string;
  readonly ready: boolean;
  readonly notReady:
    | { readonly reason: string; readonly code: string; readonly since: string | undefined }
    | undefined;
  readonly type: string;
  /** `undefined` where nobody elects the primary; `leader` is a pooler. */
  readonly term: { readonly number: string; readonly leader: string | undefined } | undefined;
  readonly current: ServingReport;
  /** Since when the current status is served; `undefined` if it always was. */
  readonly currentSince: string | undefined;
  /** `undefined`: nothing else is wanted. */
  readonly wanted: ServingReport | undefined;
  /** What an operator has asked for; `undefined`: nothing is held back. */
  readonly intent:
    | { readonly status: string; readonly reason: string; readonly since: string | undefined }
    | undefined;
  readonly postgres: {
    readonly address: string;
    readonly reachable: boolean;
    readonly error: string | undefined;
    readonly version: string | undefined;
    readonly inRecovery: boolean | undefined;
    readonly connectionsUsed: number;
    readonly connectionsLimit: number;
  };
  readonly replication: ReplicationReport;
  readonly pools: readonly PoolRow[];
  /** Pools beyond those in `pools`. */
  readonly morePools: number;
  /** Longest first; single calls of gRPC are not among them. */
  readonly holders: readonly HolderRow[];
  readonly moreHolders: number;
  /** The last second. */
  readonly sample: WorkSample;
  readonly clients: { readonly grpc: ClientCounts; readonly postgres: ClientCounts | undefined };
  /** Latest first. */
  readonly transitions: readonly TransitionRow[];
  readonly topology: {
    readonly implementation: string;
    readonly registered: boolean;
    readonly typeSource: string;
    /** The type that was configured, where the pooler has another one. */
    readonly ignoredType: string | undefined;
    readonly error: string | undefined;
    /** As they were last read; `undefined` until then. */
    readonly peers: readonly PeerRow[] | undefined;
    /** Why they could not be read just now. */
    readonly peersError: string | undefined;
  };
}
