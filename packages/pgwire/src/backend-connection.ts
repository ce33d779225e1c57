import type { ServerAddress } from "./address.ts";
import type { PgwireError } from "./error.ts";
import type { ResponseSink } from "./response.ts";

/** How to reach and enter a PostgreSQL server. */
export interface ConnectOptions {
  readonly address: ServerAddress;
  readonly user: string;
  readonly database: string;
  /** Asked once, when the server wants a password. Never kept. */
  readonly password?: (() => string | undefined) | undefined;
  /**
   * Further start-up parameters: settings for the session, such as `default_transaction_read_only`.
   *
   * This package writes and reads text as UTF-8. Where the database may have another encoding, pass
   * `client_encoding: "UTF8"`; row blocks are bytes of whatever encoding is in force.
   */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
  /** Bound for every message but rows, which are streamed. Default: 16 MiB. */
  readonly maxMessageBytes?: number | undefined;
  /** How long `close` waits for the server to end the connection. Default: 5000. */
  readonly closeTimeoutMs?: number | undefined;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** I: idle, T: in a transaction, E: in a failed transaction; as of the last ReadyForQuery. */
export type TransactionStatus = "I" | "T" | "E";

/**
 * | state   | requests                         | socket         |
 * | ------- | -------------------------------- | -------------- |
 * | open    | accepted                         | open           |
 * | closing | refused; earlier ones finish     | open           |
 * | closed  | refused; earlier ones have ended | gone or going  |
 */
export type ConnectionState = "open" | "closing" | "closed";

/** Why a connection ended. */
export type CloseReason =
  /** `close()` ran to its end. */
  | { readonly type: "closed" }
  /** The owner called `destroy`, or `close` had to give up waiting. */
  | { readonly type: "destroyed"; readonly error: unknown }
  /** The server or the network ended it; the error carries the server's diagnostic if it sent one. */
  | { readonly type: "lost"; readonly error: PgwireError };

/** One session on a PostgreSQL server: a socket that is authenticated and ready for queries. */
export declare class BackendConnection {
  /**
   * Opens a socket and starts a session: protocol 3.0; trust or SCRAM-SHA-256. The signal bounds
   * the whole of it; an attempt that failed or was aborted leaves no socket.
   *
   * Rejects with: CONNECT_FAILED; POSTGRES with the server's refusal (28P01, 3D000, 53300, 57P03…);
   * AUTHENTICATION_FAILED; UNSUPPORTED; PROTOCOL_VIOLATION; CONNECTION_LOST; INVALID_ARGUMENT;
   * ABORTED.
   */
  static connect(options: ConnectOptions, options2?: CallOptions): Promise<BackendConnection>;

  /**
   * Sends `sql` as one simple query and writes what it yields to `sink`.
   *
   * Requests run in the order of the calls. Several may be in flight: each is sent without waiting
   * for the answers before it, and what is asked in one tick leaves in one write.
   *
   * Settles at the server's ReadyForQuery, when every event has been written. Rejects with
   * POSTGRES and the first error of the request (what came before it was written to the sink),
   * CONNECTION_LOST, CLOSED, UNSUPPORTED for a COPY from or to the client, INVALID_ARGUMENT for a
   * NUL character, or with what `sink.write` rejected with. In that last case the rest of the
   * answer is read and dropped, so that the connection stays usable: cancel it if it may be long.
   *
   * The signal withdraws a request that was not yet sent (ABORTED). It does nothing to a request
   * that was: the promise stays until the server has answered, and whether to `cancel` is the
   * caller's decision.
   */
  query(sql: string, sink: ResponseSink, options?: CallOptions): Promise<void>;

  /**
   * Asks the server, over a socket of its own, to interrupt what this session is running. Resolves
   * when the server has taken the request, which is no promise that anything was interrupted: the
   * request in flight tells. Can hit the next request if the one meant has just ended.
   */
  cancel(options?: CallOptions): Promise<void>;

  /**
   * Refuses new requests, lets those made earlier finish, tells the server and waits until it has
   * ended its side (the server process is gone then), at most `closeTimeoutMs`. If the signal
   * aborts, the connection is destroyed. Idempotent; never rejects.
   */
  close(options?: CallOptions): Promise<void>;

  /** Cuts the socket. Every request rejects with CONNECTION_LOST, `error` as its cause. Idempotent. */
  destroy(error?: unknown): void;

  /** {@link close} */
  [Symbol.asyncDispose](): Promise<void>;

  /** Resolves when the socket is gone; never rejects. */
  readonly closed: Promise<CloseReason>;
  get state(): ConnectionState;
  /** The server process that serves this session. */
  get processId(): number;
  /** What the server reported with ParameterStatus, kept up to date. */
  get parameters(): ReadonlyMap<string, string>;
  get transactionStatus(): TransactionStatus;
  /** Requests that are not settled, those not yet sent included. */
  get inFlight(): number;
  /** Open and nothing in flight. */
  get idle(): boolean;
}
