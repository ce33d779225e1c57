import type { AnswerEnd, PgwireError, RequestEnd, TransactionStatus } from "@multipooler/pgwire";
import type { MultiPoolerError } from "../../error.ts";
import type { BackendEnd } from "../../pool/backend.ts";
import type { BackendWatcher, Lease } from "../../pool/lease.ts";
import { endsSession, isUnsent, queryError } from "../../postgres-error.ts";
import type { SessionHold } from "../session-hold.ts";
import { InterruptibleUnit } from "./interruptible-unit.ts";
import { codeOf, internalError, lostBetweenUnits, outOfStepError } from "../session-refusal.ts";
import type { UnitOwner } from "./session-unit.ts";
import { SetupRun } from "./setup-run.ts";
import { PARSE_COMPLETE } from "../statements/local-answer.ts";
import { UnitHealing } from "./unit-healing.ts";
import type { FeedStep } from "./unit-feed.ts";
import { UnitInput } from "./unit-input.ts";
import type { UnitInterruption } from "./unit-interruption.ts";
import type { UnitRunOptions } from "./unit-run-options.ts";
import type { UnitEnd, UnitPhase } from "./unit-source.ts";

/** A unit that certainly was not sent is tried on so many backends. */
const MAX_ATTEMPTS = 3;

const READY: UnitEnd = { type: "ready" };
/** As PostgreSQL has it: query_canceled. */
const CANCELLED = "57014";

/** Brings one unit of a session at a time onto a backend, and keeps that for as long as it is pinned. */
export class UnitRun implements UnitOwner {
  readonly #options: UnitRunOptions;
  readonly #input: UnitInput;
  readonly hold: SessionHold;
  readonly #unit: InterruptibleUnit;
  #phase: UnitPhase = "none";
  #attempts = 0;
  #hasAnswered = false;
  readonly #setup: SetupRun;
  readonly #healing: UnitHealing;
  /** Nobody wants the rest of the answer. */
  #isAbandoned = false;
  readonly #watcher: BackendWatcher = {
    onEnded: (end) => this.#loseHeld(end),
    onUnasked: (message) => this.#options.source.unasked(message),
  };

  constructor(options: UnitRunOptions) {
    this.#options = options;
    this.hold = options.hold;
    this.#healing = new UnitHealing(options.placement);
    this.#input = new UnitInput({
      cutter: options.source.cutter,
      placement: options.placement,
      onMore: () => this.#setApart(),
      send: (bytes) => this.hold.lease?.backend.feed(this.#unit.current, bytes) ?? true,
    });
    this.#unit = new InterruptibleUnit(options, this);
    this.#setup = new SetupRun({
      onDone: () => this.drained(),
      onFailed: (status) => this.#setupFailed(status),
    });
  }

  get phase(): UnitPhase {
    return this.#phase;
  }

  /** Whether it runs behind or before units of others. */
  get isShared(): boolean {
    return this.#unit.current.kind !== "exclusive";
  }

  /**
   * Runs `bytes`: on the backend that is held, or on one of the scheduler's.
   *
   * @param refusal what the client gets in the place of the answer
   */
  start(bytes: Buffer, refusal?: MultiPoolerError): void {
    const { carried, settings, source } = this.#options;
    const { facts, messages } = source.cutter;
    const kind = this.hold.isAtRest ? facts.kind : "exclusive";
    this.#unit.become({ kind, label: settings.label, bytes, messages }, refusal);
    carried.begin(facts);
    this.#attempts = 0;
    this.#hasAnswered = false;
    this.#input.begin();
    this.#attempt();
  }

  /** Takes the unit out of the queue. False: it is not there. */
  withdraw(): boolean {
    if (this.#phase !== "queued" || !this.#options.engine.scheduler.withdraw(this.#unit.current)) {
      return false;
    }
    this.#phase = "none";
    this.#options.carried.failed();
    this.#unit.forget(CANCELLED);
    return true;
  }

  /** Sends on what belongs to the unit that runs. Returns what stopped that. */
  feedMore(): FeedStep {
    return this.#phase === "running" ? this.#input.more() : "hold";
  }

  /** The client takes answers again. */
  resume(): void {
    if (this.#phase === "running") {
      this.hold.lease?.backend.resume();
    }
  }

  /** Asks the server to cancel what runs; never hits what another session runs. */
  cancel(): void {
    this.#interrupt()?.cancel();
  }

  /** The same; ends its server process if that does not help soon. */
  force(): void {
    this.#interrupt()?.force();
  }

  /** Drops the rest of the answer. Ends what runs, by force only where nobody shares the backend. */
  abandon(): void {
    this.#isAbandoned = true;
    this.resume();
    if (this.isShared) {
      this.cancel();
    } else {
      this.#input.end();
      this.force();
    }
  }

  /** Gives the backend back that is held between two units and not pinned. Returns whether it did. */
  giveBack(): boolean {
    const isHeld = this.#phase === "none" && this.hold.lease !== undefined;
    if (isHeld) {
      this.#release();
    }
    return isHeld && this.hold.lease === undefined;
  }

  /**
   * Asks the backend, while no unit runs, what the next one has to know. Returns whether there is
   * anything to ask: then `onDone` is called, unless the backend is lost.
   */
  ask(onDone: () => void): boolean {
    const isAsked = this.#options.carried.ask((error) => this.#asked(error, onDone));
    this.#phase = isAsked ? "asking" : this.#phase;
    return isAsked;
  }

  granted(lease: Lease): void {
    this.hold.take(lease);
    this.#sendUnit(lease);
    if (this.#options.source.cutter.facts.isOpen) {
      this.#options.source.goOn();
    }
  }

  /** It gets no backend, or what goes before it has failed. */
  refused(error: MultiPoolerError): void {
    this.#phase = "none";
    this.#options.carried.failed();
    this.#release();
    this.#end({ type: "refused", error });
  }

  failing(error: PgwireError): void {
    this.#input.failing(error);
    const { isOpen } = this.#options.source.cutter.facts;
    const isFresh = !this.#hasAnswered && !isOpen && this.hold.transaction === "I";
    this.#healing.consider(error, isFresh && this.#mayTryAgain);
  }

  answered(bytes: Uint8Array): boolean {
    const { source, placement } = this.#options;
    if (this.#healing.isUnderWay || this.#setup.error !== undefined) {
      return true;
    }
    if (!this.#hasAnswered) {
      this.#hasAnswered = true;
      for (let left = placement.leftOut; left > 0; left -= 1) {
        source.answered(PARSE_COMPLETE);
      }
      this.#input.noteReplies(placement.leftOut);
    }
    const takesMore = this.#isAbandoned || source.answered(bytes);
    if (source.cutter.facts.copies || source.cutter.facts.isOpen) {
      this.#input.watch(bytes);
      if (this.#isAbandoned) {
        this.#input.end();
      } else {
        source.goOn();
      }
    }
    return takesMore;
  }

  drained(): void {
    this.#input.isFull = false;
    this.#options.source.goOn();
  }

  settled(end: RequestEnd): void {
    this.#phase = "none";
    switch (end.type) {
      case "ready":
        this.#ready(end);
        return;
      case "sinkFailed":
        this.#lose(internalError("the answer could not be passed on", end.cause), true);
        return;
      case "lost":
        // Nothing of it reached the server, and nothing is lost with the backend.
        if (isUnsent(end.error) && this.hold.reason === undefined && this.#mayTryAgain) {
          this.#options.placement.settle();
          this.hold.discard(end.error);
          this.#attempt();
        } else {
          const isFatal = this.#hasAnswered || this.hold.reason !== undefined;
          this.#lose(queryError(end.error), isFatal || (!this.isShared && endsSession(end.error)));
        }
    }
  }

  #attempt(): void {
    const { lease } = this.hold;
    this.#attempts += 1;
    if (lease === undefined) {
      this.#phase = "queued";
      this.#options.engine.scheduler.submit(this.#unit.current);
      return;
    }
    const wanted = this.#options.settings.current;
    if (this.hold.transaction === "I" && lease.settings !== wanted) {
      lease.want(wanted);
    }
    this.#sendUnit(lease);
  }

  #sendUnit({ backend, statements: held }: Lease): void {
    const { settings, placement, source } = this.#options;
    const { isOpen, leavesUnnamed, opensTransaction } = source.cutter.facts;
    this.#phase = "running";
    this.#healing.begin();
    this.#setApart();
    const { conditions } = settings;
    const place = { held, conditions, leavesUnnamed, opensTransaction, hold: this.hold };
    this.#unit.current.placeOn(place, isOpen);
    this.#setup.send(this.hold.held.bringTo(backend, placement.setups), backend);
    this.#input.isFull = this.#setup.isRunning;
    backend.send(this.#unit.current);
  }

  /** Texts may mean something else in the unit than the label says, or behind it. */
  #setApart(): void {
    if (!this.isShared) {
      this.hold.setApart(this.#options.source.cutter.facts.changesMeaning);
    }
  }

  /** What was to come before the unit has failed. Where the unit was sent, its answer is dropped. */
  #setupFailed(status: TransactionStatus): void {
    const { error } = this.#setup;
    if (error !== undefined && this.hold.lease?.backend.withdraw(this.#unit.current) === true) {
      this.hold.backendStatus = status;
      this.refused(queryError(error));
    }
  }

  #ready(end: AnswerEnd): void {
    this.hold.backendStatus = end.transactionStatus;
    if (this.#setup.error !== undefined) {
      this.refused(queryError(this.#setup.error));
    } else if (this.hold.held.fail()) {
      // What was to begin its transaction has failed, and the client has the error.
      this.#options.carried.failed();
      this.#input.finish();
      if (this.#input.isOutOfStep) {
        this.hold.discard(outOfStepError());
      }
      this.#asked(undefined, () => this.#end(READY));
    } else if (this.#healing.isUnderWay) {
      this.#options.placement.settle();
      if (this.hold.reason === undefined) {
        void this.hold.release();
      }
      this.#attempt();
    } else {
      this.#finish(end);
    }
  }

  #finish(end: AnswerEnd): void {
    const { hold } = this;
    const { carried, source } = this.#options;
    this.#input.finish();
    if (this.isShared && hold.transaction !== "I") {
      this.#lose(internalError("a statement began a transaction on a shared backend"), true);
      return;
    }
    carried.ran(source.cutter.facts, end);
    if (this.#input.isOutOfStep) {
      carried.forget();
      hold.discard(outOfStepError());
    } else if (this.isShared) {
      // A setting that a shared statement has changed is not worth a backend of its own.
      carried.letGo();
      void hold.release();
    } else if (this.ask(() => this.#end(READY))) {
      return;
    } else {
      this.#release();
    }
    this.#end(READY);
  }

  /** The backend has told what it was asked for. */
  #asked(error: PgwireError | undefined, onDone: () => void): void {
    this.#phase = "none";
    if (error === undefined) {
      this.#release();
      onDone();
    } else {
      this.#lose(queryError(error), true);
    }
  }

  #end(end: UnitEnd): void {
    this.#unit.forget(end.type === "ready" ? this.#healing.sqlstate : codeOf(end.error));
    this.#options.source.ended(end);
  }

  /** Gives the backend back, unless it is pinned. */
  #release(): void {
    this.hold.releaseUnlessPinned(this.#watcher);
  }

  #lose(error: MultiPoolerError, isFatal: boolean): void {
    this.#options.carried.failed();
    this.hold.discard(error);
    this.#end({ type: "lost", error, isFatal });
  }

  /** The backend has ended between two units. While one runs, that one is told. */
  #loseHeld(end: BackendEnd): void {
    if (this.#phase === "none" && this.hold.lease !== undefined) {
      this.#lose(lostBetweenUnits(end), true);
    }
  }

  get #mayTryAgain(): boolean {
    const isUntouched = !this.#input.hasFed && !this.#isAbandoned && !this.#unit.isInterrupted;
    return isUntouched && this.#attempts < MAX_ATTEMPTS;
  }

  /** `undefined` while there is nothing to interrupt. */
  #interrupt(): UnitInterruption | undefined {
    const { lease } = this.hold;
    return this.#phase === "running" && lease !== undefined
      ? this.#unit.interruption(lease.backend)
      : undefined;
  }
}
