import type { RequestEnd } from "@multipooler/pgwire";
import type { Outcome, ResultSink } from "@multipooler/query-service";
import { Taint } from "../classification/taint.ts";
import type { TaintSet } from "../classification/taint.ts";
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
import { openTransactionFailure } from "./call-error.ts";
import { RequestRun } from "./request-run.ts";
import type { InterruptEngine, RunOwner } from "./request-run.ts";

/** A request that was certainly not sent is tried on so many backends. */
const MAX_ATTEMPTS = 3;
const NO_RESERVATION: Outcome = { reservation: undefined };

/** What the calls of one executor have in common. */
export interface CallEngine extends InterruptEngine {
  readonly scheduler: UnitScheduler;
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
export class Call implements Unit, Holder, RunOwner {
  readonly kind = "exclusive";
  readonly origin: string;
  readonly label: Label | undefined;
  readonly byteLength: number;
  readonly #engine: CallEngine;
  readonly #options: CallOptions;
  readonly #run: RequestRun;
  readonly #statement: BackendStatement;
  readonly #ended = Promise.withResolvers<Outcome>();
  #attempts = 0;
  #hasHadBackend = false;
  /** While its request is sent, or was taken back from the backend. */
  #lease: Lease | undefined;

  /** @throws INVALID_ARGUMENT for a statement that cannot be sent */
  constructor(engine: CallEngine, options: CallOptions) {
    this.origin = options.origin;
    this.label = options.label;
    this.#engine = engine;
    this.#options = options;
    const { sink, signal, onDescribed, statement, preparation } = options;
    this.#run = new RequestRun({ engine, sink, signal, onDescribed }, this);
    this.#statement = backendStatement(statement, { ...preparation, receiver: this.#run });
    this.byteLength = this.#statement.request.byteLength;
  }

  /** Whether it was granted a backend at any time. */
  get hasHadBackend(): boolean {
    return this.#hasHadBackend;
  }

  /** To be called once, with a signal that has not aborted. Rejects with a `MultiPoolerError`. */
  run(): Promise<Outcome> {
    this.#run.listen();
    this.#submit();
    return this.#ended.promise;
  }

  cut(reason: MultiPoolerError): void {
    this.#run.cut(reason);
  }

  granted(lease: Lease): void {
    this.#lease = lease;
    this.#hasHadBackend = true;
    this.#send(lease);
  }

  refused(error: MultiPoolerError): void {
    this.#end(error);
  }

  withdrawn(reason: MultiPoolerError): void {
    const lease = this.#lease;
    if (lease === undefined) {
      this.#engine.scheduler.withdraw(this);
    } else {
      this.#statement.withdrawn();
      this.#lease = undefined;
      void lease.release();
    }
    this.#end(reason);
  }

  ended(end: RequestEnd, error: MultiPoolerError | undefined): void {
    const lease = this.#lease;
    if (lease === undefined) {
      return;
    }
    if (this.#statement.mustRunAgain && !this.#run.isBroken) {
      this.#send(lease);
      return;
    }
    this.#lease = undefined;
    if (end.type === "lost") {
      lease.discard(end.error);
      if (this.#canRepeat(end)) {
        this.#run.waitAgain();
        this.#submit();
      } else {
        this.#end(error);
      }
      return;
    }
    const failure = this.#run.isCut
      ? error
      : (error ?? openTransactionFailure(end, this.#run.facts));
    const cleaned = this.#release(lease, end);
    if (cleaned === undefined) {
      this.#end(failure);
    } else {
      void cleaned.then(() => this.#end(failure));
    }
  }

  #submit(): void {
    this.#attempts += 1;
    this.#engine.scheduler.submit(this);
  }

  #send(lease: Lease): void {
    this.#statement.placeOn(lease);
    this.#run.send(lease.backend, this.#statement.request);
  }

  #canRepeat({ error }: Extract<RequestEnd, { type: "lost" }>): boolean {
    return isUnsent(error) && !this.#run.isBroken && this.#attempts < MAX_ATTEMPTS;
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

  #end(error: MultiPoolerError | undefined): void {
    this.#run.stopListening();
    this.#options.onEnd(this);
    if (error === undefined) {
      this.#ended.resolve(NO_RESERVATION);
    } else {
      this.#ended.reject(error);
    }
  }
}
