import type { EventReceiver, RequestEnd } from "@multipooler/pgwire";
import type { Outcome, ResultEvent, ResultSink } from "@multipooler/query-service";
import type { Clock } from "@multipooler/timing";
import { Taint } from "../classification/taint.ts";
import type { TaintSet } from "../classification/taint.ts";
import { abortError } from "../error.ts";
import type { MultiPoolerError } from "../error.ts";
import type { UnitScheduler } from "../pool/borrowing.ts";
import type { Label } from "../pool/label.ts";
import type { Lease } from "../pool/lease.ts";
import type { Unit } from "../pool/unit.ts";
import { isUnsent } from "../postgres-error.ts";
import type { Holder } from "../serving/holders.ts";
import type { StatementRegistry } from "../statements/statement-registry.ts";
import { backendStatement } from "../statements/backend-statement.ts";
import type {
  BackendStatement,
  Preparation,
  RunnableStatement,
} from "../statements/backend-statement.ts";
import { failureOf, interruptedFailure, isCut, receiverError } from "./call-error.ts";
import { Interruption } from "./interruption.ts";
import { Receiver } from "./receiver.ts";
import type { ReceiverOwner } from "./receiver.ts";
import type { TerminateProcess } from "./termination.ts";

/** A request that was certainly not sent is tried on so many backends. */
const MAX_ATTEMPTS = 3;
const NO_RESERVATION: Outcome = { reservation: undefined };

/** What the calls of one executor have in common. */
export interface CallEngine {
  readonly scheduler: UnitScheduler;
  readonly clock: Clock;
  readonly terminate: TerminateProcess;
  readonly registry: StatementRegistry;
}

export interface CallOptions {
  /** The client that asks; see `Unit`. */
  readonly origin: string;
  readonly label?: Label | undefined;
  /** What the words of the statement say it leaves in its session. */
  readonly taint: TaintSet;
  readonly sink: ResultSink;
  /** Interrupts the call. */
  readonly signal: AbortSignal | undefined;
  readonly statement: RunnableStatement;
  readonly preparation: Preparation;
  /** Takes the ParameterDescription of a statement that is described. */
  readonly onDescribed?: ((parameters: Uint8Array) => void) | undefined;
  /** The call holds nothing any more. */
  readonly onEnd: (call: Call) => void;
}

/**
 * | phase   | the call                                                | next            |
 * | ------- | ------------------------------------------------------- | --------------- |
 * | waiting | has no backend                                          | running, ended  |
 * | running | has sent its request                                    | waiting, ending |
 * | ending  | has its answer; the backend is not free yet             | ended           |
 * | ended   | holds nothing                                           |                 |
 */
type Phase = "waiting" | "running" | "ending" | "ended";

/**
 * One statement on a backend of its own, from the wait for that to the moment when it is free
 * again. It is driven by callbacks alone: without an interruption it makes one promise, the caller's.
 *
 * A request is repeated on another backend only if PostgreSQL certainly saw nothing of it, because
 * the connection had ended before anything was written. Once it was sent its outcome is unknown, and
 * running a write twice would be worse than the error.
 *
 * What it may leave in its session, by its words or because the server reported a setting, is taken
 * away before the call ends. A transaction that is left open is rolled back, and the call fails:
 * nothing of it was committed, so that nothing was acknowledged that is not there.
 */
export class Call implements Unit, EventReceiver, Holder, ReceiverOwner {
  readonly kind = "exclusive";
  readonly origin: string;
  readonly label: Label | undefined;
  readonly byteLength: number;
  readonly #engine: CallEngine;
  readonly #options: CallOptions;
  readonly #statement: BackendStatement;
  readonly #receiver: Receiver;
  readonly #ended = Promise.withResolvers<Outcome>();
  #phase: Phase = "waiting";
  #attempts = 0;
  #hasHadBackend = false;
  #lease: Lease | undefined;
  /** Why it was interrupted from outside. */
  #reason: MultiPoolerError | undefined;
  #sinkFailure: MultiPoolerError | undefined;
  #interruption: Interruption | undefined;

  /** @throws INVALID_ARGUMENT for a statement that cannot be sent */
  constructor(engine: CallEngine, options: CallOptions) {
    this.origin = options.origin;
    this.label = options.label;
    this.#engine = engine;
    this.#options = options;
    const { statement, preparation } = options;
    this.#statement = backendStatement(statement, { ...preparation, receiver: this });
    this.byteLength = this.#statement.request.byteLength;
    this.#receiver = new Receiver(options.sink, this);
  }

  /** Whether it was granted a backend at any time. */
  get hasHadBackend(): boolean {
    return this.#hasHadBackend;
  }

  /** To be called once, with a signal that has not aborted. Rejects with a `MultiPoolerError`. */
  run(): Promise<Outcome> {
    this.#options.signal?.addEventListener("abort", this, { once: true });
    this.#submit();
    return this.#ended.promise;
  }

  /** The caller's signal has aborted. */
  handleEvent(): void {
    const { signal } = this.#options;
    if (signal !== undefined) {
      this.cut(abortError(signal));
    }
  }

  cut(reason: MultiPoolerError): void {
    if (this.#reason !== undefined) {
      return;
    }
    this.#reason = reason;
    switch (this.#phase) {
      case "waiting":
        this.#engine.scheduler.withdraw(this);
        this.#end(reason);
        return;
      case "running":
        if (this.#withdraw()) {
          this.#end(reason);
          return;
        }
        if (isCut(reason)) {
          this.#receiver.hurry();
        } else {
          this.#receiver.stop();
        }
        this.#interrupt();
        return;
      case "ending":
      case "ended":
    }
  }

  sinkFailed(cause: unknown): void {
    this.#sinkFailure = receiverError(cause);
    this.#interrupt();
  }

  granted(lease: Lease): void {
    this.#lease = lease;
    this.#hasHadBackend = true;
    this.#phase = "running";
    this.#send(lease);
  }

  refused(error: MultiPoolerError): void {
    this.#end(error);
  }

  event(event: ResultEvent): Promise<void> | undefined {
    return this.#receiver.event(event);
  }

  described(parameters: Uint8Array): void {
    this.#options.onDescribed?.(parameters);
  }

  settle(end: RequestEnd): void {
    const lease = this.#lease;
    if (lease === undefined) {
      return;
    }
    if (this.#statement.mustRunAgain && this.#interruption === undefined) {
      this.#send(lease);
      return;
    }
    this.#lease = undefined;
    this.#phase = "ending";
    if (end.type === "lost") {
      lease.discard(end.error);
      if (this.#canRepeat(end)) {
        this.#submit();
        return;
      }
    }
    const error = this.#judge(end);
    if (this.#interruption === undefined) {
      this.#giveBack(lease, end, error);
    } else {
      void this.#interruption.end().then(() => this.#giveBack(lease, end, error));
    }
  }

  #submit(): void {
    this.#phase = "waiting";
    this.#attempts += 1;
    this.#engine.scheduler.submit(this);
  }

  #send(lease: Lease): void {
    this.#statement.placeOn(lease);
    lease.backend.send(this.#statement.request);
  }

  #canRepeat({ error }: Extract<RequestEnd, { type: "lost" }>): boolean {
    const isInterrupted = this.#reason !== undefined || this.#sinkFailure !== undefined;
    return isUnsent(error) && !isInterrupted && this.#attempts < MAX_ATTEMPTS;
  }

  #judge(end: RequestEnd): MultiPoolerError | undefined {
    if (this.#sinkFailure !== undefined) {
      return this.#sinkFailure;
    }
    return this.#reason === undefined
      ? failureOf(end, this.#receiver)
      : interruptedFailure(end, this.#reason, this.#receiver);
  }

  #giveBack(lease: Lease, end: RequestEnd, error: MultiPoolerError | undefined): void {
    const cleaned = end.type === "lost" ? undefined : this.#release(lease, end);
    if (cleaned === undefined) {
      this.#end(error);
    } else {
      void cleaned.then(() => this.#end(error));
    }
  }

  #release(lease: Lease, end: Exclude<RequestEnd, { type: "lost" }>): Promise<void> | undefined {
    lease.taint(this.#options.taint);
    if (end.settingsReported) {
      lease.taint(Taint.Settings);
    }
    if (end.transactionStatus !== "I") {
      lease.taint(Taint.State);
    }
    return lease.release();
  }

  /** Takes the request back and frees its backend, while nothing was sent. */
  #withdraw(): boolean {
    const lease = this.#lease;
    if (lease === undefined || !lease.backend.withdraw(this.#statement.request)) {
      return false;
    }
    this.#statement.withdrawn();
    this.#lease = undefined;
    void lease.release();
    return true;
  }

  #interrupt(): void {
    const { clock, terminate } = this.#engine;
    if (this.#lease !== undefined && this.#interruption === undefined) {
      const { backend } = this.#lease;
      const { request } = this.#statement;
      this.#interruption = new Interruption({ backend, request, clock, terminate });
    }
  }

  #end(error: MultiPoolerError | undefined): void {
    if (this.#phase === "ended") {
      return;
    }
    this.#phase = "ended";
    const { signal, onEnd } = this.#options;
    signal?.removeEventListener("abort", this);
    onEnd(this);
    if (error === undefined) {
      this.#ended.resolve(NO_RESERVATION);
    } else {
      this.#ended.reject(error);
    }
  }
}
