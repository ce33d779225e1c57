import type { RequestEnd } from "@multipooler/pgwire";
import type { Outcome } from "@multipooler/query-service";
import { Taint } from "../classification/taint.ts";
import type { TaintSet } from "../classification/taint.ts";
import type { MultiPoolerError } from "../error.ts";
import type { UnitScheduler } from "../pool/borrowing.ts";
import type { Label } from "../pool/label.ts";
import type { Lease } from "../pool/lease.ts";
import type { Unit, UnitKind } from "../pool/unit.ts";
import { internalError, isUnsent } from "../postgres-error.ts";
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
import type { InterruptEngine, RequestRunOptions, RunOwner } from "./request-run.ts";
import type { ShortRead } from "./short-reads.ts";
import { failedOnTempBuffers } from "./temp-buffers.ts";

/** A request that was certainly not sent is tried on so many backends. */
const MAX_ATTEMPTS = 3;
/** A statement that needs a session without a past is tried on so many. */
const MAX_FRESH_ATTEMPTS = 10;
const NO_RESERVATION: Outcome = { reservation: undefined };

/** What the calls of one executor have in common. */
export interface CallEngine extends InterruptEngine {
  readonly scheduler: UnitScheduler;
  readonly registry: StatementRegistry;
}

export interface CallOptions extends RequestRunOptions {
  readonly engine: CallEngine;
  /** The client that asks; see `Unit`. */
  readonly origin: string;
  readonly label?: Label | undefined;
  /** See `Unit`. */
  readonly virtualPid?: number | undefined;
  /** What the words of the statement say it leaves in its session. */
  readonly taint: TaintSet;
  readonly statement: RunnableStatement;
  readonly preparation: Preparation;
  /** What is known of such statements, if they may share a backend when they are short. */
  readonly read?: ShortRead | undefined;
  /** The call holds nothing any more. */
  readonly onEnd: (call: Call) => void;
}

/**
 * One statement on a backend of its own, or in the FIFO of one that it shares, from the wait for that
 * to the moment when it is free again. It is driven by callbacks alone: without an interruption it makes one promise, the caller's.
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
  readonly #read: ShortRead | undefined;
  #kind: UnitKind;
  readonly origin: string;
  readonly label: Label | undefined;
  readonly virtualPid: number | undefined;
  readonly byteLength: number;
  readonly #options: CallOptions;
  readonly #run: RequestRun;
  readonly #statement: BackendStatement;
  readonly #ended = Promise.withResolvers<Outcome>();
  holderIndex = -1;
  #attempts = 0;
  #sentAt = 0;
  #hasHadBackend = false;
  /** While its request is sent, or was taken back from the backend. */
  #lease: Lease | undefined;

  /** @throws INVALID_ARGUMENT for a statement that cannot be sent */
  constructor(options: CallOptions) {
    this.origin = options.origin;
    this.label = options.label;
    this.virtualPid = options.virtualPid;
    this.#options = options;
    this.#read = options.read;
    this.#kind = options.read?.isShort === true ? "shareable" : "exclusive";
    this.#run = new RequestRun(options, this);
    this.#statement = backendStatement(options.statement, options.preparation, this.#run);
    this.byteLength = this.#statement.request.byteLength;
  }

  get kind(): UnitKind {
    return this.#kind;
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
      this.#options.engine.scheduler.withdraw(this);
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
      this.#runAgain(lease);
      return;
    }
    this.#lease = undefined;
    if (this.#needsFreshSession(error)) {
      lease.discard(error);
      this.#run.waitAgain();
      this.#submit();
      return;
    }
    this.#note(end);
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
    if (this.#isShared && end.transactionStatus !== "I") {
      const problem = "a statement began a transaction on a backend that is shared";
      const failed = internalError(problem, undefined);
      lease.discard(failed);
      this.#end(error ?? failed);
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

  get #isShared(): boolean {
    return this.#kind !== "exclusive";
  }

  /** On a shared backend there may be one by now that nothing must be put behind. */
  #runAgain(lease: Lease): void {
    if (this.#isShared) {
      this.#kind = "exclusive";
      this.#lease = undefined;
      void lease.release();
      this.#run.waitAgain();
      this.#submit();
    } else {
      this.#send(lease);
    }
  }

  #note(end: RequestEnd): void {
    if (this.#read === undefined || end.type !== "ready" || this.#run.isBroken) {
      return;
    }
    const { bytes } = this.#run;
    if (this.#isShared) {
      this.#read.ranShared(bytes);
    } else if (!this.#read.isShort) {
      const tookMs = this.#options.engine.clock.monotonic() - this.#sentAt;
      this.#read.ranAlone({ bytes, tookMs });
    }
  }

  #submit(): void {
    this.#attempts += 1;
    this.#options.engine.scheduler.submit(this);
  }

  #send(lease: Lease): void {
    this.#statement.placeOn(lease);
    if (this.#read?.isShort === false) {
      this.#sentAt = this.#options.engine.clock.monotonic();
    }
    this.#run.send(lease.backend, this.#statement.request, { isShared: this.#isShared });
  }

  #needsFreshSession(error: MultiPoolerError | undefined): boolean {
    return (
      failedOnTempBuffers(error, this.#options) &&
      !this.#isShared &&
      !this.#run.isBroken &&
      this.#attempts < MAX_FRESH_ATTEMPTS
    );
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
