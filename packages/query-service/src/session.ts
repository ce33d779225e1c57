import type { PoolerError } from "./error.ts";
import type { ReservationReason } from "./reservation.ts";
import type { Caller } from "./request.ts";

/** A client that has authenticated, as it opens a session. `settings` are its start-up parameters. */
export interface SessionCaller extends Caller {
  /** The database that the client named; empty: the one that the pooler serves. */
  readonly database: string;
}

/**
 * The conversation of one client of PostgreSQL's protocol, from its login to its end. It answers
 * everything that belongs to the conversation, ErrorResponse and ReadyForQuery included; the
 * transport only frames, authenticates, limits and closes.
 */
export interface Session {
  /** What the server reports of a new session (ParameterStatus), for the answer to the login. */
  readonly parameters: ReadonlyMap<string, string>;
  /**
   * Takes whole frontend messages, any number of them, in a view that is not written to again.
   * Returns false when the session is behind: the transport stops reading from its client until
   * `client.resume()`. Never throws; does nothing after the end.
   */
  write(messages: Uint8Array): boolean;
  /** The client has room again after its `write` returned false. */
  drained(): void;
  /** The client asks to cancel what it runs. Never hits another session's statement. */
  cancel(): void;
  /**
   * Ends the session. "now": the client is gone; what runs is cancelled, an open transaction is
   * rolled back. "boundary": the client gets FATAL 57P01 at the next transaction boundary, at once
   * if it is at one. Resolves when nothing of the session is left. Idempotent; "now" overtakes
   * "boundary".
   */
  end(when: "now" | "boundary"): Promise<void>;
  /** For status pages. Never blocks. */
  describe(): SessionState;
}

/** What a session is doing. Times are milliseconds since the epoch. */
export type SessionState =
  | { readonly type: "idle" }
  | { readonly type: "queued"; readonly sinceMs: number }
  | { readonly type: "running"; readonly sinceMs: number }
  /** It holds a backend between its statements. */
  | { readonly type: "pinned"; readonly reason: PinReason; readonly sinceMs: number }
  | { readonly type: "ended" };

/** Why a session keeps its backend: a reason of a reservation, or state that only that backend has. */
export type PinReason = keyof typeof ReservationReason | "SessionState";

/** The transport's end of a session. */
export interface SessionClient {
  /**
   * Takes the next bytes of the stream of backend messages, in a view that is not written to again.
   * A message may go on in the next call. Returns false when the client is behind: the session
   * holds back what it can until `drained()`.
   */
  write(messages: Uint8Array): boolean;
  /** The session takes messages again after its `write` returned false. */
  resume(): void;
  /**
   * Nothing more will come: the last words, if any, were written. Called once. `reason` is why the
   * session ended without the client's Terminate or `end("now")`.
   */
  ended(reason: PoolerError | undefined): void;
}
