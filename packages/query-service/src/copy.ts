import type { Reservation } from "./reservation.ts";
import type { Caller, Place, QueryTarget } from "./request.ts";
import type { ResultEvent } from "./result.ts";

/** One COPY statement whose data go between the database and the caller. */
export interface CopyRequest {
  readonly target?: QueryTarget | undefined;
  readonly caller: Caller;
  /** Its backend is reserved while it runs, whatever the place; see `ReservationReason.Copy`. */
  readonly place: Place;
  /** The statement alone: what stands beside it in a query string is refused. */
  readonly sql: string;
}

/** The next thing that the caller has for a COPY. */
export type CopyInput =
  /** Data, cut anywhere. Not written to again. */
  | { readonly type: "data"; readonly bytes: Uint8Array }
  /** All data were sent. */
  | { readonly type: "done" }
  /** The COPY is to fail. `reason` is a part of the database's error. */
  | { readonly type: "fail"; readonly reason: string };

/** Where the data of a COPY come from. Declared here because the executor is what calls it. */
export interface CopySource {
  /**
   * The next input. Called after the "started" event, one call at a time, and not again after "done",
   * "fail" or a rejection. While the database is behind it is not called, so that a source that reads
   * only what it is asked for bounds the memory. When the COPY ends first, what a call still yields is
   * dropped. When it rejects, the COPY fails, and the verb rejects with CANCELLED.
   */
  next(): Promise<CopyInput>;
}

/**
 * What a COPY yields: `started` once the database has accepted the statement, `data` if they go to
 * the caller, then `complete`. `notice` and `parameterStatus` come wherever the database sent them.
 *
 * `bytes` are messages of PostgreSQL's protocol, as those of a `ResultEvent`:
 *
 * | event   | message                                                                               |
 * | ------- | ------------------------------------------------------------------------------------- |
 * | started | one CopyInResponse (`G`) or CopyOutResponse (`H`): formats of the whole and the columns |
 * | data    | a run of CopyData (`d`), cut as a `rows` event is cut                                  |
 */
export type CopyEvent =
  | {
      readonly type: "started";
      readonly bytes: Uint8Array;
      /** What the caller holds while the COPY runs: `Copy` is one of its reasons. */
      readonly reservation: Reservation | undefined;
    }
  | { readonly type: "data"; readonly bytes: Uint8Array; readonly inProgress: boolean }
  | Extract<ResultEvent, { type: "complete" | "notice" | "parameterStatus" }>;

/** Where the events of a COPY go. */
export interface CopySink {
  /** As that of `ResultSink`. */
  write(event: CopyEvent): Promise<void> | undefined;
}
