import type { Diagnostic, ResultSink } from "@multipooler/controller-api";

/** What sessions a pool may hand out now: the read-only ones have it as their session default. */
export type BackendAccess = "read-write" | "read-only";

/** One session on PostgreSQL, as a pool needs it. pgwire's `BackendConnection` is one. */
export interface Backend {
  /**
   * Sends one simple query. Several may be in flight: they run in the order of the calls. Settles
   * when the database is ready for the next one. Rejects with a `PgwireError`; what came before the
   * error has reached the sink.
   */
  query(sql: string, sink: ResultSink): Promise<void>;
  /** Asks the server to interrupt what runs; resolves when the server has taken the request. */
  cancel(options: { readonly signal: AbortSignal }): Promise<void>;
  /** Ends the session in good order, within a bound of its own. Never rejects. */
  close(): Promise<void>;
  /** Cuts the socket. */
  destroy(reason: unknown): void;
  /** Resolves when the socket is gone; never rejects. */
  readonly closed: Promise<BackendEnd>;
  /** The server process of the session. */
  readonly processId: number;
  /** Open, and nothing in flight. */
  readonly idle: boolean;
  /** Whether the session is in a transaction: I for none, T, or E for a failed one. */
  readonly transactionStatus: "I" | "T" | "E";
  /** What the server reported of the session's settings, kept up to date. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Why a session ended; `lost` means that nobody here wanted it. */
export type BackendEnd =
  | { readonly type: "closed" }
  | { readonly type: "destroyed" }
  | {
      readonly type: "lost";
      readonly error: Error & { readonly diagnostic?: Diagnostic | undefined };
    };

/**
 * Opens one session; what it rejects with is a `MultiPoolerError`. An attempt that failed or was
 * aborted leaves no socket.
 */
export type OpenBackend = (
  access: BackendAccess,
  options: { readonly signal: AbortSignal },
) => Promise<Backend>;
