import type { Field } from "./result.ts";

/**
 * How fresh and how writable the database must be.
 * WRITABLE and CONSISTENT need the primary; INCONSISTENT and UNSPECIFIED take any.
 */
export const QueryMode = {
  Unspecified: "UNSPECIFIED",
  Writable: "WRITABLE",
  Consistent: "CONSISTENT",
  Inconsistent: "INCONSISTENT",
} as const;
export type QueryMode = (typeof QueryMode)[keyof typeof QueryMode];

/**
 * The pooler that the caller believes to address. An empty table group or shard matches any; a
 * different one is refused with WRONG_TARGET. An empty database matches any.
 */
export interface QueryTarget {
  readonly database: string;
  readonly tableGroup: string;
  readonly shard: string;
  readonly mode: QueryMode;
}

/** Settings of a session by name, as `SET` takes them. */
export type Settings = ReadonlyMap<string, string>;

/** The keys of a SCRAM exchange that the client completed elsewhere (RFC 5802). */
export interface ScramKeys {
  readonly clientKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** On whose behalf a request runs, and under which settings. */
export interface Caller {
  /** The role to run as; empty: the role that the pooler was configured with. */
  readonly user: string;
  /** What proves to the database that the client is `user`; without them the pooler's own credential counts. */
  readonly keys?: ScramKeys | undefined;
  readonly settings: Settings;
  /**
   * Names the client, e.g. the address of its connection. Requests of one client wait behind each
   * other, and clients take turns, so that the flood of one is not everybody's wait.
   */
  readonly origin: string;
  /**
   * The process id by which the client knows itself, as BackendKeyData gave it: not that of the backend,
   * which changes. Absent where the client has none.
   */
  readonly virtualPid?: number | undefined;
}

/**
 * The backend to run on.
 *
 * | type     | runs on                                                                        |
 * | -------- | ------------------------------------------------------------------------------ |
 * | any      | one of the pool, for this request only                                         |
 * | reserve  | one that stays reserved for `reasons`                                          |
 * | reserved | the one of an earlier request; an id that is not known yields RESERVATION_LOST |
 */
export type Place = { readonly type: "any" } | ReservePlace | ReservedPlace;

/** Why a backend is held beyond a request, from that request on. */
export interface ReservationWish {
  /**
   * The statement that opens the transaction, in the client's own words. Looked at only if the
   * reasons say `Transaction` and there is none yet. Default: `BEGIN`.
   */
  readonly begin?: string | undefined;
  /** Names of portals that outlive the request; each is a reason until it is released. */
  readonly pins?: readonly string[] | undefined;
  /** Whether to look, after the statement, if the session still holds an advisory lock. */
  readonly recheckAdvisoryLocks?: boolean | undefined;
}

export interface ReservePlace extends ReservationWish {
  readonly type: "reserve";
  /** `ReservationReason` bits, not 0. */
  readonly reasons: number;
}

export interface ReservedPlace extends ReservationWish {
  readonly type: "reserved";
  readonly id: bigint;
  /** `ReservationReason` bits to add. Default: none. */
  readonly reasons?: number | undefined;
  /** Names of portals that are no reason any more once the statement has succeeded. */
  readonly releases?: readonly string[] | undefined;
}

/** One statement of the extended protocol. An executor may keep what it prepared for the next caller. */
export interface PreparedText {
  readonly sql: string;
  /** OIDs by position; 0 or a missing one leaves the type to the database. */
  readonly parameterTypes: readonly number[];
}

/** The parameters of one execution, and the formats of values. */
export interface Binding {
  /** `null` for NULL. */
  readonly parameters: readonly (Uint8Array | null)[];
  /** 0 text, 1 binary; none: text, one: for all, otherwise one each. */
  readonly parameterFormats: readonly number[];
  readonly resultFormats: readonly number[];
}

/**
 * The SQL to run.
 *
 * | type       | is                                                                              |
 * | ---------- | ------------------------------------------------------------------------------- |
 * | simple     | one query string of the simple protocol; it may hold several statements          |
 * | prepared   | one statement with parameters, of the extended protocol                          |
 * | sqlExecute | `prefix`, the name of what `sql` was prepared as, `suffix`: one SQL statement    |
 * | parse      | one statement that is only parsed, so that PostgreSQL's error comes at that time |
 */
export type Statement =
  | { readonly type: "simple"; readonly sql: string }
  | ({
      readonly type: "prepared";
      /** The portal, which SQL can name as a cursor; without it the unnamed one. */
      readonly portal?: string | undefined;
      /** 0: no limit. */
      readonly maxRows: number;
      /** Whether a `fields` event comes before the rows. */
      readonly describe: boolean;
    } & PreparedText &
      Binding)
  | ({
      readonly type: "sqlExecute";
      /** Ends with EXECUTE, e.g. `EXPLAIN EXECUTE `. */
      readonly prefix: string;
      /** The arguments, e.g. `(1, 'a')`, and what follows them. */
      readonly suffix: string;
    } & PreparedText)
  | ({ readonly type: "parse" } & PreparedText);

/** One request. Each part is read on its own; none depends on another. */
export interface ExecuteRequest {
  readonly target?: QueryTarget | undefined;
  readonly caller: Caller;
  readonly place: Place;
  readonly statement: Statement;
}

/** Which statement to describe, and where. */
export interface DescribeRequest {
  readonly target?: QueryTarget | undefined;
  readonly caller: Caller;
  readonly place: Exclude<Place, ReservePlace>;
  readonly statement: PreparedText;
  /** Describes the portal that this makes of the statement, and closes it. */
  readonly binding?: Binding | undefined;
}

/** What PostgreSQL says of a statement, or of a portal. */
export interface StatementDescription {
  /** The OIDs of the parameters; none of a portal. */
  readonly parameterTypes: readonly number[];
  /** The columns of its result, also if there are none; `undefined`: it returns no rows. */
  readonly fields: readonly Field[] | undefined;
}

/** What a request names that concerns a reservation as a whole. */
export interface ReservationRequest {
  readonly target?: QueryTarget | undefined;
  /** `settings` are those that the session has when its backend goes back to the pool. */
  readonly caller: Caller;
  readonly id: bigint;
}

/** How to end the transaction of a reservation. */
export interface ConcludeRequest extends ReservationRequest {
  readonly conclusion: "commit" | "rollback";
  /** Whether the next transaction begins at once (`AND CHAIN`). */
  readonly chain: boolean;
  /** Portals that a ROLLBACK has closed, by name or all of them. A COMMIT keeps those WITH HOLD. */
  readonly releases: "all" | readonly string[];
  /**
   * The settings that the session has if the transaction is rolled back. Without them a backend
   * that is not needed any more is closed then, because nobody can say what it holds.
   */
  readonly rollbackSettings?: Settings | undefined;
}

/** How to give up a reservation. */
export interface ReleaseRequest extends ReservationRequest {
  /** Whether a reservation for `SetSeed` stays, with that as its only reason. */
  readonly keepsSticky: boolean;
}

/** Bounds a call. */
export interface CallOptions {
  /**
   * Aborts the call. What runs in the database is cancelled there. A reason that is a
   * `TimeoutError` yields DEADLINE_EXCEEDED, every other reason CANCELLED.
   */
  readonly signal?: AbortSignal | undefined;
}
