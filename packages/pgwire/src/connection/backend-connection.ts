import { onAbort } from "@multipooler/timing";
import { PgwireError, PgwireErrorCode } from "../error.ts";
import { encodeTerminate } from "../messages/message-writer.ts";
import type { TransactionStatus } from "../messages/transaction-status.ts";
import { openSession } from "../startup/open-session.ts";
import type { OpenSession } from "../startup/open-session.ts";
import { Answer } from "./answer.ts";
import { Cancellations } from "./cancellations.ts";
import { DEFAULT_MAX_MESSAGE_BYTES } from "./connect-options.ts";
import type { CallOptions, ConnectOptions } from "./connect-options.ts";
import { ConnectionActivity } from "./connection-activity.ts";
import type { ActivityFigures } from "./connection-activity.ts";
import { requestLost } from "./connection-state.ts";
import type { CloseReason, ConnectionState } from "./connection-state.ts";
import { Dialogue } from "./dialogue.ts";
import { scheduleFlush } from "./loop-turn.ts";
import type { Flushable } from "./loop-turn.ts";
import { BATCH_BYTES, RequestQueue } from "./request-queue.ts";
import type { Prelude, TransactionBegin } from "./prelude.ts";
import type { Request } from "./request.ts";
import type { ServerSocket } from "./server-socket.ts";

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

/** One session on a PostgreSQL server: an authenticated socket that takes requests. */
export class BackendConnection {
  readonly #closeTimeoutMs: number;
  readonly #socket: ServerSocket;
  readonly #processId: number;
  readonly #queue: RequestQueue;
  readonly #answer: Answer;
  readonly #activity = new ConnectionActivity();
  readonly #dialogue: Dialogue;
  readonly #cancellations: Cancellations;
  readonly #flushable: Flushable = { flush: () => this.#flush() };
  readonly #closed = Promise.withResolvers<CloseReason>();
  #isFlushScheduled = false;
  /**
   * Takes each whole message that comes between two requests: a notification, a notice, a setting
   * that was reported. Must not throw.
   */
  onUnasked: ((message: Uint8Array) => void) | undefined;
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
    const { address, tls, maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES } = options;
    this.#closeTimeoutMs = options.closeTimeoutMs ?? DEFAULT_CLOSE_TIMEOUT_MS;
    this.#socket = socket;
    this.#processId = session.key.processId;
    const queue = new RequestQueue({ socket });
    const answer = new Answer({
      reply: (bytes) => socket.write(bytes),
      progressed: () => {
        socket.pump();
        this.#terminateIfDone();
      },
    });
    const { input } = socket;
    this.#queue = queue;
    this.#answer = answer;
    this.#dialogue = new Dialogue({
      input,
      maxMessageBytes,
      queue,
      answer,
      activity: this.#activity,
      session,
      unasked: (message) => this.onUnasked?.(message),
    });
    this.#cancellations = new Cancellations({
      address,
      tls,
      key: session.key,
      queue,
      released: () => this.#scheduleFlush(),
      unusable: (error) => this.destroy(error),
    });
  }

  /** Resolves when the socket is gone. Never rejects. */
  get closed(): Promise<CloseReason> {
    return this.#closed.promise;
  }

  /** Whether it takes requests. */
  get state(): ConnectionState {
    switch (this.#state.type) {
      case "open":
        // The socket may have broken while a receiver holds back what arrived before.
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
    return this.#processId;
  }

  /** The settings that the server reports with ParameterStatus, kept up to date. */
  get parameters(): ReadonlyMap<string, string> {
    return this.#dialogue.parameters;
  }

  /** As of the last ReadyForQuery. */
  get transactionStatus(): TransactionStatus {
    return this.#dialogue.transactionStatus;
  }

  /** The request that the server is working on, as far as its answers tell. */
  get running(): Request | undefined {
    return this.#queue.running;
  }

  /** Requests that are not settled, those that still wait to be sent included. */
  get inFlight(): number {
    return this.#queue.size + this.#answer.drainingCount;
  }

  /** Open, with nothing in flight. */
  get idle(): boolean {
    return this.inFlight === 0 && this.state === "open";
  }

  /** Bytes that the server has sent since the session stands. */
  get bytesReceived(): number {
    return this.#socket.bytesReceived;
  }

  /** What it has done so far. */
  get activity(): ActivityFigures {
    const { bytesSent, bytesReceived } = this.#socket;
    return { ...this.#activity.figures, bytesSent, bytesReceived };
  }

  /** Whether the server owes an answer, and nothing on this side holds that up. */
  get isAwaitingServer(): boolean {
    return (
      this.#queue.sentCount > 0 &&
      this.#queue.unsentBytes === 0 &&
      !this.#socket.congested &&
      !this.#socket.isPaused
    );
  }

  /** Whether the receiver of the running request is behind: what is sent now may wait for it. */
  get isHeldUp(): boolean {
    return this.#dialogue.isHeldUp;
  }

  /**
   * Sends a request. Requests run in the order of the calls, and each is sent without waiting for
   * the answers before it; what is sent in one turn of the event loop leaves in one write, at its
   * end, or at once when it exceeds 64 KiB. Never throws: on a connection that takes no requests,
   * the request is settled as lost, with `sent` false.
   */
  send(request: Request): void {
    if (this.#state.type !== "open" || !this.#socket.writable) {
      setImmediate(() => request.settle({ type: "lost", error: this.#refusal() }));
      return;
    }
    if (this.#queue.size === 0) {
      this.#activity.begin({ isInTransaction: this.transactionStatus !== "I" });
    }
    this.#queue.push(request);
    if (this.#queue.unsentBytes >= BATCH_BYTES) {
      this.#queue.flush();
    }
    this.#scheduleFlush();
  }

  /**
   * Puts statements before the next request that is sent, in its write; `undefined` takes back what
   * no request has followed yet. To be called while nothing is in flight.
   */
  precede(prelude: Prelude | undefined): void {
    this.#queue.precede(prelude);
  }

  /**
   * Has the next request that is sent be in a transaction, which begins in its write, behind what goes
   * before it by `precede`. Where one of these fails, the request is not run, and the answer that its
   * spans get ends with the status of a failed transaction. To be called while nothing is in flight.
   */
  begin(begin: TransactionBegin): void {
    this.#queue.begin(begin);
  }

  /** Takes back a request that was not sent: it is not settled. Returns whether it could. */
  withdraw(request: Request): boolean {
    const isWithdrawn = this.#queue.withdraw(request);
    if (isWithdrawn) {
      this.#cancellations.advance();
      this.#terminateIfDone();
    }
    return isWithdrawn;
  }

  /**
   * Sends more bytes of the running request, such as the messages of a COPY, past what waits. What
   * was sent in this turn of the event loop leaves before them. Where `request` waits to be sent
   * itself, they follow it. Does nothing when it has ended, or others were sent behind it. False: the
   * server is behind; `request.drained` is called when it takes more.
   */
  feed(request: Request, bytes: Uint8Array): boolean {
    if (this.#isFlushScheduled) {
      this.#flush();
    }
    if (this.#queue.append(request, bytes)) {
      return false;
    }
    if (this.#queue.running === request && this.#queue.sentCount === 1) {
      this.#socket.write(bytes);
    }
    return !this.#socket.congested;
  }

  /** Goes on reading after `span` of the running request returned false. */
  resume(): void {
    this.#dialogue.caughtUp();
    this.#socket.pump();
  }

  /**
   * Asks the server, over a socket of its own, to interrupt `request`. Never hits another one:
   *
   * - The cancel request is sent while `request` is running with nothing in flight behind it. One
   *   that waits for its turn is waited for.
   * - From the call on, nothing is written behind `request` until it is settled and the server has
   *   closed the socket of the cancel request.
   * - If others are in flight behind it already, no cancel request is sent.
   *
   * Resolves when the server has taken the cancel request, or when `request` was settled without
   * one. Whether anything was interrupted, `settle` tells. Rejects with CONNECT_FAILED,
   * CONNECTION_LOST or ABORTED; if it is unknown then whether the server still gets the cancel
   * request, the connection is destroyed once `request` is settled.
   */
  async cancel(request: Request, { signal }: CallOptions = {}): Promise<void> {
    await this.#cancellations.cancel(request, signal);
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
   * Cuts the socket. Each request is settled as lost, with `error` as the cause, without waiting
   * for its receiver; what runs on the server is not cancelled. Idempotent.
   */
  destroy(error?: unknown): void {
    const reason: CloseReason = { type: "destroyed", error };
    this.#end(reason);
    this.#answer.cut(requestLost(reason, { sent: true }));
  }

  /** {@link close} */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #listen(): void {
    const dialogue = this.#dialogue;
    this.#socket.start({
      get atBoundary() {
        return dialogue.atBoundary;
      },
      readable: () => {
        const isReading = dialogue.read();
        this.#cancellations.advance();
        this.#terminateIfDone();
        return isReading;
      },
      drained: () => {
        this.#flush();
        this.#queue.running?.drained?.();
      },
      ended: (error) => {
        const isExpected = this.#state.type === "terminating";
        this.#end(isExpected ? { type: "closed" } : { type: "lost", error });
      },
    });
  }

  #scheduleFlush(): void {
    if (!this.#isFlushScheduled) {
      this.#isFlushScheduled = true;
      scheduleFlush("backend", this.#flushable);
    }
  }

  #flush(): void {
    this.#isFlushScheduled = false;
    if (this.#queue.flush()) {
      this.#queue.running?.drained?.();
    }
    this.#cancellations.advance();
    if (this.#socket.isPaused) {
      // The receiver that is behind may share the connection now.
      this.#socket.pump();
    }
  }

  #refusal(): PgwireError {
    switch (this.#state.type) {
      case "open":
        return new PgwireError(PgwireErrorCode.ConnectionLost, "the connection broke");
      case "closing":
      case "terminating":
        return new PgwireError(PgwireErrorCode.Closed, "the connection is closing");
      case "closed":
        return requestLost(this.#state.reason, { sent: false });
    }
  }

  /** The last step of `close`, once nothing is in flight any more. */
  #terminateIfDone(): void {
    if (this.#state.type !== "closing" || this.inFlight > 0) {
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
    this.#dialogue.stop();
    this.#socket.destroy(requestLost(reason, { sent: false }));
    const { sent, unsent } = this.#queue.clear();
    for (const request of sent) {
      this.#answer.lost(request, requestLost(reason, { sent: true }));
    }
    for (const request of unsent) {
      request.settle({ type: "lost", error: requestLost(reason, { sent: false }) });
    }
    this.#cancellations.end();
    void this.#socket.closed.then(() => this.#closed.resolve(reason));
  }
}
