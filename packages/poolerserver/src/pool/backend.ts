import type {
  ActivityFigures,
  Prelude,
  Request,
  TransactionBegin,
  TransactionStatus,
} from "@multipooler/pgwire";
import type { Diagnostic } from "@multipooler/query-service";

/**
 * The default of a session's transactions: those of a "read-only" session and on a "standby" were
 * opened with read-only transactions. On a standby nothing is done to keep it so.
 */
export type BackendAccess = "read-write" | "read-only" | "standby";

/** One session on PostgreSQL, as the pool needs it. pgwire's `BackendConnection` is one. */
export interface Backend {
  /**
   * Queues one request; it leaves with everything else of this loop turn. Requests are answered in
   * the order of the calls. Never throws: a request that cannot be sent is settled as lost, later.
   */
  send(request: Request): void;
  /**
   * Puts statements before the next request, in its write: it is not run if they fail. `undefined`
   * takes back what no request has followed yet. To be called while nothing is in flight.
   */
  precede(prelude: Prelude | undefined): void;
  /**
   * Has the next request be in a transaction that begins in its write, behind what goes before it by
   * `precede`. Where these fail, the request is not run, and what its spans get ends as in a failed
   * transaction. To be called while nothing is in flight.
   */
  begin(begin: TransactionBegin): void;
  /** Takes back a request that was not sent: it is not settled. Returns whether it could. */
  withdraw(request: Request): boolean;
  /**
   * Asks the server to interrupt `request`, once that is the running one and alone in flight.
   * Resolves when the server has taken the cancel request, or when there is nothing to cancel any
   * more. Until then nothing is written behind it.
   */
  cancel(request: Request, options: { readonly signal: AbortSignal }): Promise<void>;
  /**
   * Sends more bytes of `request`, which is alone in flight, such as the data of a COPY. False: the
   * server is behind; `request.drained` is called when it takes more.
   */
  feed(request: Request, bytes: Uint8Array): boolean;
  /** Goes on reading after `span` of the running request returned false. */
  resume(): void;
  /** Ends the session in good order, within a bound of its own. Never rejects. */
  close(): Promise<void>;
  /** Cuts the socket. */
  destroy(reason: unknown): void;
  /** Takes each message that comes between two requests, such as a notification. */
  onUnasked: ((message: Uint8Array) => void) | undefined;
  /** Resolves when the socket is gone; never rejects. */
  readonly closed: Promise<BackendEnd>;
  /** The PID of the server process behind the session. */
  readonly processId: number;
  /** The request that the server is working on, as far as its answers tell. */
  readonly running: Request | undefined;
  /** Requests that are not settled. */
  readonly inFlight: number;
  /** Open, and nothing in flight. */
  readonly idle: boolean;
  readonly transactionStatus: TransactionStatus;
  /** What the server reported of the session's settings, kept up to date. */
  readonly parameters: ReadonlyMap<string, string>;
  /** Bytes that the server has sent so far. */
  readonly bytesReceived: number;
  /** What it has done so far. */
  readonly activity: ActivityFigures;
  /** Whether the server owes an answer, and nothing on this side holds that up. */
  readonly isAwaitingServer: boolean;
  /** Whether the receiver of the running request is behind: what is sent now may wait for it. */
  readonly isHeldUp: boolean;
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
