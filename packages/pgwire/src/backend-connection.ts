import { onAbort } from "@multipooler/timing";
import type { ServerAddress } from "./address.ts";
import { cancelRequest } from "./cancel-request.ts";
import type { CallOptions, ConnectOptions } from "./connect-options.ts";
import { requestLost } from "./connection-state.ts";
import type { CloseReason, ConnectionState } from "./connection-state.ts";
import { Dialogue } from "./dialogue.ts";
import { abortedError, PgwireError, PgwireErrorCode } from "./error.ts";
import type { FramedSocket } from "./framed-socket.ts";
import { encodeTerminate } from "./message-writer.ts";
import { openSession } from "./open-session.ts";
import type { OpenSession } from "./open-session.ts";
import { RequestQueue } from "./request-queue.ts";
import type { ResponseSink } from "./response.ts";
import { SimpleQuery } from "./simple-query.ts";
import type { SessionKey } from "./startup.ts";
import type { TransactionStatus } from "./transaction-status.ts";

const DEFAULT_CLOSE_TIMEOUT_MS = 5000;

/**
 * | state       | meaning                                                   | next                |
 * | ----------- | --------------------------------------------------------- | ------------------- |
 * | open        | requests are taken                                        | closing, closed     |
 * | closing     | `close` waits for the requests before it                  | terminating, closed |
 * | terminating | the server was told; it has until `timer` to end its side | closed              |
 * | closed      | nothing will come; the socket is destroyed                |                     |
 */
type State =
  | { readonly type: "open" }
  | { readonly type: "closing" }
  | { readonly type: "terminating"; readonly timer: NodeJS.Timeout }
  | { readonly type: "closed"; readonly reason: CloseReason };

/** One session on a PostgreSQL server: an authenticated socket that takes queries. */
export class BackendConnection {
  readonly #address: ServerAddress;
  readonly #closeTimeoutMs: number;
  readonly #socket: FramedSocket;
  readonly #key: SessionKey;
  readonly #queue: RequestQueue;
  readonly #dialogue: Dialogue;
  readonly #closed = Promise.withResolvers<CloseReason>();
  #state: State = { type: "open" };

  /**
   * Opens a socket and starts a session: protocol 3.0, with trust or SCRAM-SHA-256. The signal
   * bounds the whole of it; an attempt that fails or is aborted leaves no socket.
   *
   * Rejects with CONNECT_FAILED; POSTGRES and the server's refusal (28P01, 3D000, 53300, 57P03, …);
   * AUTHENTICATION_FAILED; UNSUPPORTED; PROTOCOL_VIOLATION; CONNECTION_LOST; INVALID_ARGUMENT;
   * ABORTED.
   */
  static async connect(
    options: ConnectOptions,
    { signal }: CallOptions = {},
  ): Promise<BackendConnection> {
    const connection = new BackendConnection(options, await openSession(options, { signal }));
    connection.#listen();
    return connection;
  }

  private constructor(options: ConnectOptions, { socket, session }: OpenSession) {
    this.#address = options.address;
    this.#closeTimeoutMs = options.closeTimeoutMs ?? DEFAULT_CLOSE_TIMEOUT_MS;
    this.#socket = socket;
    this.#key = session.key;
    this.#queue = new RequestQueue({ socket });
    this.#dialogue = new Dialogue({ queue: this.#queue, session });
  }

  /** Resolves when the socket is gone. Never rejects. */
  get closed(): Promise<CloseReason> {
    return this.#closed.promise;
  }

  /** Whether it takes requests. */
  get state(): ConnectionState {
    switch (this.#state.type) {
      case "open":
        // The socket may have broken while a sink holds back what arrived before.
        return this.#socket.writable ? "open" : "closed";
      case "closing":
      case "terminating":
        return "closing";
      case "closed":
        return "closed";
    }
  }

  /** The server process that serves this session. */
  get processId(): number {
    return this.#key.processId;
  }

  /** What the server reported with ParameterStatus, kept up to date. */
  get parameters(): ReadonlyMap<string, string> {
    return this.#dialogue.parameters;
  }

  /** As of the last ReadyForQuery. */
  get transactionStatus(): TransactionStatus {
    return this.#dialogue.transactionStatus;
  }

  /** Requests that are not settled, those that still wait to be sent included. */
  get inFlight(): number {
    return this.#queue.size;
  }

  /** Open, with nothing in flight. */
  get idle(): boolean {
    return this.state === "open" && this.inFlight === 0;
  }

  /**
   * Sends `sql` as one simple query and writes what it yields to `sink`.
   *
   * Requests run in the order of the calls. Several may be in flight: each is sent without waiting
   * for the answers before it, and those of one tick leave in one write.
   *
   * Settles at ReadyForQuery, when every event was written. Rejects with POSTGRES and the first
   * error of the answer, CONNECTION_LOST, CLOSED, INVALID_ARGUMENT for a NUL character, or what the
   * sink failed with. When the sink fails, the rest of the answer is read and dropped, so that the
   * connection stays of use: `cancel` it if it may be long. A COPY from or to the client is ended
   * and rejects with UNSUPPORTED; the server closes a connection where another request was sent
   * behind a COPY FROM STDIN.
   *
   * The signal withdraws a request that was not sent yet, with ABORTED. It does nothing to one that
   * was: the promise stays until the server has answered, and whether to `cancel` is the caller's
   * decision.
   */
  async query(sql: string, sink: ResponseSink, { signal }: CallOptions = {}): Promise<void> {
    if (sql.includes("\0")) {
      throw new PgwireError(PgwireErrorCode.InvalidArgument, "a query cannot hold a NUL character");
    }
    if (signal?.aborted === true) {
      throw abortedError("the request", signal);
    }
    this.#assertOpen();
    const reply = (message: Buffer): void => this.#socket.write(message);
    const request = new SimpleQuery({ sql, sink, reply });
    this.#queue.push(request);
    const stopListening = onAbort(signal, (aborted) => {
      if (this.#queue.withdraw(request)) {
        request.settle(abortedError("the request", aborted));
        this.#terminateIfDone();
      }
    });
    try {
      await request.settled;
    } finally {
      stopListening();
    }
  }

  /**
   * Asks the server, over a socket of its own, to interrupt what this session runs. Resolves when
   * the server has taken the request; whether anything was interrupted, the request in flight
   * tells. It can hit the next request when the one that was meant has just ended.
   */
  async cancel({ signal }: CallOptions = {}): Promise<void> {
    await cancelRequest(this.#address, this.#key, { signal });
  }

  /**
   * Refuses new requests, lets those made before finish, tells the server, and waits for it to end
   * its side: its process is gone then. Destroys the connection when the server takes longer than
   * `closeTimeoutMs`, or when the signal aborts, which alone bounds the requests. Idempotent. Never
   * rejects.
   */
  async close({ signal }: CallOptions = {}): Promise<void> {
    if (this.#state.type === "open") {
      this.#state = { type: "closing" };
      this.#terminateIfDone();
    }
    const stopListening = onAbort(signal, (aborted) => this.destroy(aborted.reason));
    await this.closed;
    stopListening();
  }

  /**
   * Cuts the socket. Each request rejects with CONNECTION_LOST, `error` as its cause, without
   * waiting for its sink; what runs on the server is not cancelled. Idempotent.
   */
  destroy(error?: unknown): void {
    this.#end({ type: "destroyed", error });
  }

  /** {@link close} */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #listen(): void {
    this.#socket.start({
      frame: (frame) => {
        const wait = this.#dialogue.frame(frame);
        this.#terminateIfDone();
        return wait;
      },
      drained: () => this.#queue.flush(),
      ended: (error) => {
        const expected = this.#state.type === "terminating";
        this.#end(expected ? { type: "closed" } : { type: "lost", error });
      },
    });
  }

  #assertOpen(): void {
    switch (this.#state.type) {
      case "open":
        if (!this.#socket.writable) {
          throw new PgwireError(PgwireErrorCode.ConnectionLost, "the connection broke");
        }
        return;
      case "closing":
      case "terminating":
        throw new PgwireError(PgwireErrorCode.Closed, "the connection is closing");
      case "closed":
        throw requestLost(this.#state.reason, { sent: false });
    }
  }

  /** The last step of `close`, once nothing is in flight any more. */
  #terminateIfDone(): void {
    if (this.#state.type !== "closing" || this.#queue.size > 0) {
      return;
    }
    const timer = setTimeout(() => {
      const problem = `the server did not end the session within ${this.#closeTimeoutMs} ms`;
      this.destroy(new PgwireError(PgwireErrorCode.ConnectionLost, problem));
    }, this.#closeTimeoutMs);
    this.#state = { type: "terminating", timer };
    this.#socket.end(encodeTerminate());
  }

  #end(reason: CloseReason): void {
    if (this.#state.type === "closed") {
      return;
    }
    if (this.#state.type === "terminating") {
      clearTimeout(this.#state.timer);
    }
    this.#state = { type: "closed", reason };
    this.#socket.destroy(requestLost(reason, { sent: false }));
    const { sent, unsent } = this.#queue.clear();
    for (const request of sent) {
      request.settle(requestLost(reason, { sent: true }));
    }
    for (const request of unsent) {
      request.settle(requestLost(reason, { sent: false }));
    }
    void this.#socket.closed.then(() => this.#closed.resolve(reason));
  }
}
