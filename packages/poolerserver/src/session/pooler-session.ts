import { QueryMode } from "@multipooler/query-service";
import type {
  PinReason,
  Session,
  SessionCaller,
  SessionClient,
  SessionState,
} from "@multipooler/query-service";
import type { Clock } from "@multipooler/timing";
import { Taint } from "../classification/taint.ts";
import { MultiPoolerError } from "../error.ts";
import type { Logger } from "../logger.ts";
import type { UnitScheduler } from "../pool/borrowing.ts";
import type { Lease } from "../pool/lease.ts";
import { readOnlyError } from "../read-only-guard.ts";
import type { Holder } from "../serving/holders.ts";
import type { ServingGate } from "../serving/serving-gate.ts";
import { ClientOutput } from "./client-output.ts";
import { readyForQuery, sessionErrorMessage } from "./session-message.ts";
import {
  FAILING_QUERY,
  cancelledError,
  cutError,
  internalError,
  noStatementError,
  protocolError,
  shutdownError,
  slowClientError,
} from "./session-refusal.ts";
import { UnitCutter } from "./unit-cutter.ts";
import type { TextClassifier } from "./unit-cutter.ts";
import { UnitRun } from "./unit-run.ts";
import type { UnitEnd, UnitSource } from "./unit-run.ts";

/** What all sessions of a controller have in common. */
export interface SessionEngine {
  readonly gate: ServingGate;
  readonly scheduler: UnitScheduler;
  readonly classifier: SessionClassifier;
  readonly limits: SessionLimits;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What a session needs to know of texts. */
export interface SessionClassifier extends TextClassifier {
  /** The catalog may have changed. */
  noteDdl(): void;
  /** The result was larger than a session may hold back: not to share a backend again. */
  noteLargeResult(text: string): void;
}

export interface SessionLimits {
  /** What a client may send ahead of the unit that runs; more stops the transport. */
  readonly inputBytes: number;
  /** What may wait for a client that does not read; more ends its session. */
  readonly heldBytes: number;
}

export interface PoolerSessionOptions {
  readonly engine: SessionEngine;
  readonly caller: SessionCaller;
  readonly client: SessionClient;
  readonly parameters: ReadonlyMap<string, string>;
  /** Nothing of the session is left. */
  readonly onGone: (session: PoolerSession) => void;
}

/**
 * | life    | units                                          | next           |
 * | ------- | ---------------------------------------------- | -------------- |
 * | open    | run as they come                               | leaving, ended |
 * | leaving | run until the session is out of a transaction  | ended          |
 * | ended   | the one that runs is brought to its end        |                |
 */
type Life = "open" | "leaving" | "ended";

/**
 * One client's conversation. Runs one unit at a time and answers, in their order, what no backend
 * answers: errors of the pooler, and the last word.
 *
 * Between units it holds a backend only if it is pinned; see `SessionHold`. It is in the gate while
 * a unit runs or it is pinned.
 */
export class PoolerSession implements Session, Holder, UnitSource {
  readonly parameters: ReadonlyMap<string, string>;
  readonly cutter: UnitCutter;
  readonly #options: PoolerSessionOptions;
  readonly #engine: SessionEngine;
  readonly #output: ClientOutput;
  readonly #run: UnitRun;
  readonly #gone = Promise.withResolvers<void>();
  #life: Life = "open";
  #isPumping = false;
  /** The transport was asked to stop. */
  #isFull = false;
  /** What a unit was refused with whose transaction is being made to fail. */
  #refused: { readonly message: Uint8Array; readonly isOpen: boolean } | undefined;
  /** The gate wants the backend back. */
  #cutReason: MultiPoolerError | undefined;
  /** DDL of a transaction that has not ended. */
  #hasDdl = false;
  #isAdmitted = false;
  #isLeaving = false;
  #sinceMs = 0;

  constructor(options: PoolerSessionOptions) {
    const { engine, caller, client } = options;
    const { limits, classifier, scheduler, clock, logger } = engine;
    this.#options = options;
    this.#engine = engine;
    this.parameters = options.parameters;
    this.cutter = new UnitCutter({ classifier, maxGroupBytes: limits.inputBytes });
    this.#output = new ClientOutput({ client, maxHeldBytes: limits.heldBytes });
    this.#run = new UnitRun({ source: this, origin: caller.origin, scheduler, clock, logger });
  }

  /** Why it holds a backend between two units. */
  get pinReason(): PinReason | undefined {
    return this.#run.isCopyIn ? "Copy" : this.#run.hold.reason;
  }

  /**
   * Takes a backend that has the client's settings, before anything is written.
   *
   * @throws NOT_SERVING
   */
  adopt(lease: Lease): void {
    this.#engine.gate.enter("reservation", QueryMode.Unspecified, this);
    this.#isAdmitted = true;
    this.#run.hold.adopt(lease, Taint.Settings);
  }

  write(messages: Uint8Array): boolean {
    if (this.#life === "ended") {
      return true;
    }
    const { input } = this.cutter;
    input.push(messages);
    this.#pump();
    if (input.byteLength > this.#engine.limits.inputBytes) {
      this.#isFull = true;
    }
    return !this.#isFull;
  }

  drained(): void {
    this.#output.drained();
    if (!this.#output.isBehind) {
      this.#run.resume();
      this.#pump();
    }
  }

  cancel(): void {
    if (this.#run.withdraw()) {
      this.#reject(cancelledError());
      this.#pump();
    } else {
      this.#run.cancel();
    }
  }

  cut(reason: MultiPoolerError): void {
    this.#cutReason ??= reason;
    if (this.#run.withdraw()) {
      this.#reject(reason);
      this.#pump();
    } else if (this.#run.phase === "running") {
      this.#run.force(reason);
    } else {
      this.#pump();
    }
  }

  async end(when: "now" | "boundary"): Promise<void> {
    if (when === "now") {
      this.#endNow(undefined, undefined);
    } else if (this.#life === "open") {
      this.#life = "leaving";
      if (this.#run.withdraw()) {
        this.#leaveGate();
      }
      this.#pump();
    }
    await this.#gone.promise;
  }

  describe(): SessionState {
    if (this.#life === "ended") {
      return { type: "ended" };
    }
    const sinceMs = this.#sinceMs;
    switch (this.#run.phase) {
      case "queued":
        return { type: "queued", sinceMs };
      case "running":
        return { type: "running", sinceMs };
      case "none": {
        const reason = this.pinReason;
        return reason === undefined ? { type: "idle" } : { type: "pinned", reason, sinceMs };
      }
    }
  }

  answered(bytes: Uint8Array): boolean {
    if (this.#refused !== undefined) {
      return true;
    }
    const takesMore = this.#output.write(bytes);
    if (!takesMore && this.#output.isOverfull) {
      if (this.cutter.text !== "") {
        this.#engine.classifier.noteLargeResult(this.cutter.text);
      }
      this.#fail(slowClientError(this.#engine.limits.heldBytes));
      return true;
    }
    return takesMore;
  }

  takesMore(): void {
    this.#pump();
  }

  ended(end: UnitEnd): void {
    switch (end.type) {
      case "ready":
        this.#onReady();
        break;
      case "refused":
        this.#reject(end.error);
        break;
      case "lost":
        if (end.isFatal) {
          this.#leaveGate();
          this.#fail(end.error);
        } else {
          this.#reject(end.error);
        }
    }
    if (this.#life === "ended") {
      this.#leave();
    } else {
      this.#pump();
    }
  }

  /** Goes on for as long as something can be done at once. */
  #pump(): void {
    if (this.#isPumping) {
      return;
    }
    this.#isPumping = true;
    while (this.#step()) {
      // Each step is one unit.
    }
    this.#isPumping = false;
    if (this.#isFull && this.cutter.input.byteLength <= this.#engine.limits.inputBytes / 2) {
      this.#isFull = false;
      this.#options.client.resume();
    }
  }

  /** Whether there may be more to do. */
  #step(): boolean {
    if (this.#life === "ended" || this.#run.phase === "queued") {
      return false;
    }
    if (this.#run.phase === "running") {
      this.#feed();
      return false;
    }
    const { transaction, lease } = this.#run.hold;
    if (this.#cutReason !== undefined && lease !== undefined) {
      this.#fail(cutError(this.#cutReason, transaction !== "I"));
      return false;
    }
    if (this.#life === "leaving" && transaction === "I") {
      this.#fail(shutdownError());
      return false;
    }
    return !this.#output.isBehind && this.#next();
  }

  #next(): boolean {
    switch (this.cutter.next()) {
      case "none":
        return false;
      case "unit":
        this.#begin();
        return true;
      case "skipped":
        this.#output.write(readyForQuery(this.#run.hold.transaction));
        return true;
      case "terminate":
        this.#endNow(undefined, undefined);
        return false;
      case "broken":
        this.#fail(protocolError(this.cutter.problem));
        return false;
    }
  }

  #begin(): void {
    const { facts, bytes } = this.cutter;
    this.#sinceMs = this.#engine.clock.now();
    const refusal = this.#refusal() ?? this.#admit();
    if (refusal === undefined) {
      if (facts.ddl) {
        this.#hasDdl = true;
        this.#engine.classifier.noteDdl();
      }
      this.#run.start(bytes);
    } else if (this.#run.hold.transaction === "T") {
      // The transaction has to fail with the unit.
      this.#refused = { message: sessionErrorMessage(refusal, "ERROR"), isOpen: facts.isOpen };
      facts.reset();
      this.#run.start(FAILING_QUERY);
    } else {
      this.#reject(refusal);
    }
  }

  /** Why what was read of the unit so far may not run. */
  #refusal(): MultiPoolerError | undefined {
    const { facts } = this.cutter;
    if (facts.needsStatement && !this.#run.hold.hasStatement) {
      return noStatementError();
    }
    return this.#engine.gate.isReadOnly && facts.readOnlyEscape !== undefined
      ? readOnlyError(facts.readOnlyEscape)
      : undefined;
  }

  #admit(): MultiPoolerError | undefined {
    const { gate } = this.#engine;
    try {
      if (this.#run.hold.lease === undefined) {
        const kind = this.cutter.facts.reserves ? "reservation" : "single";
        gate.enter(kind, QueryMode.Unspecified, this);
        this.#isAdmitted = true;
      } else {
        gate.enterReserved(QueryMode.Unspecified);
      }
      return undefined;
    } catch (error) {
      return error instanceof MultiPoolerError ? error : internalError("admission failed", error);
    }
  }

  #feed(): void {
    switch (this.#run.feedMore()) {
      case "feed":
      case "hold":
        break;
      case "terminate":
        this.#endNow(undefined, undefined);
        return;
      case "broken":
        this.#fail(protocolError(this.cutter.problem));
        return;
    }
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      this.#fail(refusal);
    }
  }

  #onReady(): void {
    const { hold } = this.#run;
    if (this.#hasDdl && hold.transaction === "I") {
      this.#hasDdl = false;
      this.#engine.classifier.noteDdl();
    }
    if (this.#refused !== undefined) {
      const { message, isOpen } = this.#refused;
      this.#refused = undefined;
      this.#output.write(message);
      this.#endRejected(isOpen);
    }
    this.cutter.forget();
    if (hold.lease === undefined) {
      this.#leaveGate();
    } else {
      this.#engine.gate.change("reserved", this);
    }
  }

  /** Answers the unit that was begun with an error. */
  #reject(error: MultiPoolerError): void {
    this.#output.write(sessionErrorMessage(error, "ERROR"));
    this.#endRejected(this.cutter.facts.isOpen);
    this.cutter.forget();
    if (this.#run.hold.lease === undefined) {
      this.#leaveGate();
    }
  }

  #endRejected(isOpen: boolean): void {
    if (isOpen) {
      this.cutter.skipToSync();
    } else {
      this.#output.write(readyForQuery(this.#run.hold.transaction));
    }
  }

  /** Ends the session with a last word. */
  #fail(error: MultiPoolerError): void {
    this.#endNow(sessionErrorMessage(error, "FATAL"), error);
  }

  #endNow(lastMessage: Uint8Array | undefined, reason: MultiPoolerError | undefined): void {
    if (this.#life === "ended") {
      return;
    }
    this.#life = "ended";
    this.#output.close(lastMessage);
    this.cutter.input.clear();
    this.#options.client.ended(reason);
    this.#run.withdraw();
    if (this.#run.phase === "running") {
      this.#run.abandon(reason ?? new Error("the client is gone"));
    } else {
      this.#leave();
    }
  }

  /** Gives back what the session holds, once nothing of it runs. */
  #leave(): void {
    if (this.#isLeaving) {
      return;
    }
    this.#isLeaving = true;
    this.cutter.forget();
    const released = this.#run.hold.release();
    if (released === undefined) {
      this.#onGone();
    } else {
      void released.then(() => this.#onGone());
    }
  }

  #onGone(): void {
    this.#leaveGate();
    this.#options.onGone(this);
    this.#gone.resolve();
  }

  #leaveGate(): void {
    if (this.#isAdmitted) {
      this.#isAdmitted = false;
      this.#cutReason = undefined;
      this.#engine.gate.leave(this);
    }
  }
}
