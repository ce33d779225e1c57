import type {
  EventReceiver,
  EventRequest,
  RequestEnd,
  TransactionStatus,
} from "@multipooler/pgwire";
import type { ResultEvent, ResultSink } from "@multipooler/query-service";
import { abortError } from "../error.ts";
import type { MultiPoolerError } from "../error.ts";
import type { Backend } from "../pool/backend.ts";
import { isUnsent } from "../postgres-error.ts";
import type { CallEngine } from "./call.ts";
import { answerFailure, interruptedFailure, isCut, receiverError } from "./call-error.ts";
import { Interruption } from "./interruption.ts";
import { Receiver } from "./receiver.ts";
import type { ReceiverOwner } from "./receiver.ts";

export interface HeldRunOptions {
  readonly backend: Backend;
  readonly engine: Pick<CallEngine, "clock" | "terminate">;
  readonly sink: ResultSink;
  /** Interrupts the request. */
  readonly signal: AbortSignal | undefined;
  /** Takes the ParameterDescription of a statement that is described. */
  readonly onDescribed?: ((parameters: Uint8Array) => void) | undefined;
}

/**
 * How a request on a held backend ended.
 *
 * | fate      | the request                             | the backend                    |
 * | --------- | --------------------------------------- | ------------------------------ |
 * | done      | succeeded                               | is as `transactionStatus` says |
 * | failed    | failed as the server says               | is as `transactionStatus` says |
 * | broken    | was interrupted, or its receiver failed | is as `transactionStatus` says |
 * | withdrawn | was interrupted before it was sent      | is as before                   |
 * | unsent    | certainly did not reach the server      | is gone                        |
 * | lost      | has an outcome that `error` tells       | is gone                        |
 */
export interface HeldEnd {
  readonly fate: "done" | "failed" | "broken" | "withdrawn" | "unsent" | "lost";
  readonly error: MultiPoolerError | undefined;
  readonly transactionStatus: TransactionStatus;
  readonly settingsReported: boolean;
  /** The portal has more rows than were asked for. */
  readonly isSuspended: boolean;
  /** The request has committed a transaction. */
  readonly hasCommitted: boolean;
}

/** One request on a backend that is held: runs it to its end, and interrupts it if it has to. */
export class HeldRun implements EventReceiver, ReceiverOwner {
  readonly #options: HeldRunOptions;
  readonly #receiver: Receiver;
  readonly #ended = Promise.withResolvers<HeldEnd>();
  #request: EventRequest | undefined;
  /** Why it was interrupted from outside. */
  #reason: MultiPoolerError | undefined;
  #sinkFailure: MultiPoolerError | undefined;
  #interruption: Interruption | undefined;
  #isSuspended = false;
  #isOver = false;

  constructor(options: HeldRunOptions) {
    this.#options = options;
    this.#receiver = new Receiver(options.sink, this);
  }

  /**
   * Sends the request, whose receiver this is. Called once. Resolves when the backend can be used
   * for something else, or is gone; never rejects.
   */
  send(request: EventRequest): Promise<HeldEnd> {
    const { backend, signal } = this.#options;
    if (signal?.aborted === true) {
      this.#finish("withdrawn", abortError(signal));
      return this.#ended.promise;
    }
    this.#request = request;
    signal?.addEventListener("abort", this, { once: true });
    backend.send(request);
    return this.#ended.promise;
  }

  /** The caller's signal has aborted. */
  handleEvent(): void {
    const { signal } = this.#options;
    if (signal !== undefined) {
      this.cut(abortError(signal));
    }
  }

  /** Interrupts the request. Only the first reason counts. */
  cut(reason: MultiPoolerError): void {
    const request = this.#request;
    if (this.#reason !== undefined || this.#isOver || request === undefined) {
      return;
    }
    this.#reason = reason;
    if (this.#options.backend.withdraw(request)) {
      this.#finish("withdrawn", reason);
      return;
    }
    if (isCut(reason)) {
      this.#receiver.hurry();
    } else {
      this.#receiver.stop();
    }
    this.#interrupt();
  }

  sinkFailed(cause: unknown): void {
    this.#sinkFailure = receiverError(cause);
    this.#interrupt();
  }

  event(event: ResultEvent): Promise<void> | undefined {
    this.#isSuspended ||= event.type === "suspended";
    return this.#receiver.event(event);
  }

  described(parameters: Uint8Array): void {
    this.#options.onDescribed?.(parameters);
  }

  settle(end: RequestEnd): void {
    if (this.#interruption === undefined) {
      this.#judge(end);
    } else {
      void this.#interruption.end().then(() => this.#judge(end));
    }
  }

  #judge(end: RequestEnd): void {
    const error = this.#errorOf(end);
    if (end.type === "lost") {
      this.#finish(isUnsent(end.error) ? "unsent" : "lost", error);
      return;
    }
    // An interruption that came to nothing has cut the connection.
    if (this.#interruption !== undefined && !this.#options.backend.idle) {
      this.#finish("lost", error, end);
    } else if (error === undefined) {
      this.#finish("done", error, end);
    } else {
      const isBroken = this.#reason !== undefined || this.#sinkFailure !== undefined;
      this.#finish(isBroken ? "broken" : "failed", error, end);
    }
  }

  #errorOf(end: RequestEnd): MultiPoolerError | undefined {
    if (this.#sinkFailure !== undefined) {
      return this.#sinkFailure;
    }
    return this.#reason === undefined
      ? answerFailure(end, this.#receiver)
      : interruptedFailure(end, this.#reason, this.#receiver);
  }

  #interrupt(): void {
    const { backend, engine } = this.#options;
    if (this.#request !== undefined && this.#interruption === undefined) {
      this.#interruption = new Interruption({
        clock: engine.clock,
        terminate: engine.terminate,
        backend,
        request: this.#request,
      });
    }
  }

  #finish(
    fate: HeldEnd["fate"],
    error: MultiPoolerError | undefined,
    end?: Exclude<RequestEnd, { type: "lost" }>,
  ): void {
    this.#isOver = true;
    this.#options.signal?.removeEventListener("abort", this);
    const { hasCommitted } = this.#receiver;
    this.#ended.resolve({
      fate,
      error,
      transactionStatus: end?.transactionStatus ?? this.#options.backend.transactionStatus,
      settingsReported: end?.settingsReported ?? false,
      isSuspended: this.#isSuspended,
      hasCommitted,
    });
  }
}
