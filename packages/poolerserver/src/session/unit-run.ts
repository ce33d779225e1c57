import type { AnswerEnd, PgwireError, RequestEnd, TransactionStatus } from "@multipooler/pgwire";
import { PoolerErrorCode } from "@multipooler/query-service";
import type { Clock } from "@multipooler/timing";
import { MultiPoolerError } from "../error.ts";
import type { TerminateProcess } from "../execution/termination.ts";
import type { Logger } from "../logger.ts";
import type { BackendEnd } from "../pool/backend.ts";
import type { UnitScheduler } from "../pool/borrowing.ts";
import type { BackendWatcher, Lease } from "../pool/lease.ts";
import { isUnsent, queryError } from "../postgres-error.ts";
import { COPY_FAIL, GROUP_FAIL } from "./frontend-message.ts";
import type { CarriedState } from "./carried-state.ts";
import type { SessionHold } from "./session-hold.ts";
import { internalError } from "./session-refusal.ts";
import { SessionUnit } from "./session-unit.ts";
import type { UnitOwner } from "./session-unit.ts";
import { SetupRun } from "./setup-run.ts";
import type { SessionSettings } from "./settings/session-settings.ts";
import type { SettingValues } from "./settings/settings-inquiry.ts";
import type { ClientStatements } from "./statements/client-statements.ts";
import { failureOf } from "../statements/statement-failure.ts";
import { PARSE_COMPLETE } from "./statements/local-answer.ts";
import type { StatementPlacement } from "./statements/statement-placement.ts";
import { UnitFeed } from "./unit-feed.ts";
import type { FeedStep } from "./unit-feed.ts";
import { UnitInterruption } from "./unit-interruption.ts";
import type { UnitEnd, UnitPhase, UnitSource } from "./unit-source.ts";

/** A unit that certainly was not sent is tried on so many backends. */
const MAX_ATTEMPTS = 3;

const READY: UnitEnd = { type: "ready" };

export interface UnitRunOptions {
  readonly source: UnitSource;
  readonly hold: SessionHold;
  readonly carried: CarriedState;
  readonly settings: SessionSettings;
  readonly statements: ClientStatements;
  readonly placement: StatementPlacement;
  readonly origin: string;
  readonly scheduler: UnitScheduler;
  readonly terminate: TerminateProcess;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Brings one unit of a session at a time onto a backend, and keeps that for as long as it is pinned. */
export class UnitRun implements UnitOwner {
  readonly #options: UnitRunOptions;
  readonly #feed: UnitFeed;
  readonly hold: SessionHold;
  #unit: SessionUnit;
  #phase: UnitPhase = "none";
  #attempts = 0;
  #hasAnswered = false;
  #hasFed = false;
  /** The backend takes no more of an open unit for now. */
  #isFeedFull = false;
  readonly #setup: SetupRun;
  /** The answer is dropped: the unit is sent again. */
  #isHealing = false;
  /** Nobody wants the rest of the answer. */
  #isAbandoned = false;
  /** How often the server will say that it is ready is not known any more. */
  #isOutOfStep = false;
  #interruption: UnitInterruption | undefined;
  readonly #watcher: BackendWatcher = {
    onEnded: (end) => this.#loseHeld(end),
    onUnasked: (message) => this.#options.source.unasked(message),
  };

  constructor(options: UnitRunOptions) {
    this.#options = options;
    this.hold = options.hold;
    this.#feed = new UnitFeed({ cutter: options.source.cutter });
    this.#unit = this.#newUnit();
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
    return this.#unit.kind !== "exclusive";
  }

  /** Runs `bytes`: on the backend that is held, or on one of the scheduler's. */
  start(bytes: Buffer): void {
    const { carried, settings, source } = this.#options;
    const { facts, messages } = source.cutter;
    const kind = this.hold.lease === undefined ? facts.kind : "exclusive";
    this.#unit.become({ kind, label: settings.label, bytes, messages });
    carried.begin(facts);
    this.#attempts = 0;
    this.#hasAnswered = false;
    this.#hasFed = false;
    this.#isFeedFull = false;
    if (facts.copies || facts.isOpen) {
      this.#feed.begin();
    }
    this.#attempt();
  }

  /** Takes the unit out of the queue. False: it is not there. */
  withdraw(): boolean {
    if (this.#phase !== "queued" || !this.#options.scheduler.withdraw(this.#unit)) {
      return false;
    }
    this.#phase = "none";
    this.#options.carried.failed();
    this.#forget();
    return true;
  }

  /** Sends on what belongs to the unit that runs. Returns what stopped that. */
  feedMore(): FeedStep {
    const { source, placement } = this.#options;
    const { facts } = source.cutter;
    if (this.#phase !== "running" || (!facts.isOpen && !facts.copies)) {
      return "hold";
    }
    for (;;) {
      if (this.#isFeedFull) {
        return "hold";
      }
      const step = this.#feed.next();
      if (step !== "feed") {
        return step;
      }
      this.#send(placement.placeMore(this.#feed.take(), source.cutter.messages));
    }
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
      this.#endInput();
      this.force();
    }
  }

  granted(lease: Lease): void {
    this.hold.take(lease);
    this.#sendUnit(lease);
    if (this.#options.source.cutter.facts.isOpen) {
      this.#options.source.goOn();
    }
  }

  refused(error: MultiPoolerError): void {
    this.#phase = "none";
    this.#options.carried.failed();
    this.#forget();
    this.#options.source.ended({ type: "refused", error });
  }

  reported(name: string, value: string): void {
    this.#options.carried.reported(name, value);
  }

  failing(error: PgwireError): void {
    const { placement, source } = this.#options;
    if (!placement.isSuspect) {
      return;
    }
    const failure = failureOf(error);
    this.#isHealing =
      failure !== "other" &&
      placement.isRepeatable &&
      !this.#hasAnswered &&
      !this.#isAbandoned &&
      !source.cutter.facts.isOpen &&
      this.#interruption === undefined &&
      this.hold.transaction === "I" &&
      this.#attempts < MAX_ATTEMPTS;
    placement.suspect(failure);
  }

  answered(bytes: Uint8Array): boolean {
    const { source, placement } = this.#options;
    if (this.#isHealing || this.#setup.error !== undefined) {
      return true;
    }
    if (!this.#hasAnswered) {
      this.#hasAnswered = true;
      this.#answerLeftOut(placement.leftOut);
    }
    const takesMore = this.#isAbandoned || source.answered(bytes);
    if (source.cutter.facts.copies) {
      this.#feed.watch(bytes);
      if (this.#isAbandoned) {
        this.#endInput();
      } else {
        source.goOn();
      }
    }
    return takesMore;
  }

  drained(): void {
    this.#isFeedFull = false;
    this.#options.source.goOn();
  }

  settled(end: RequestEnd): void {
    this.#phase = "none";
    this.#interruption?.end();
    switch (end.type) {
      case "ready":
        this.#ready(end);
        return;
      case "sinkFailed":
        this.#lose(internalError("the answer could not be passed on", end.cause), true);
        return;
      case "lost":
        if (this.#isRepeatable(end)) {
          this.#options.placement.settle();
          this.hold.discard(end.error);
          this.#attempt();
        } else {
          this.#lose(queryError(end.error), this.#hasAnswered || this.hold.reason !== undefined);
        }
    }
  }

  #attempt(): void {
    const { lease } = this.hold;
    this.#attempts += 1;
    if (lease === undefined) {
      this.#phase = "queued";
      this.#options.scheduler.submit(this.#unit);
      return;
    }
    const wanted = this.#options.settings.current;
    if (this.hold.transaction === "I" && lease.settings !== wanted) {
      lease.want(wanted);
    }
    this.#sendUnit(lease);
  }

  #sendUnit({ backend, statements: held }: Lease): void {
    const { settings, statements, placement, source } = this.#options;
    const { isOpen, routesUnnamed } = source.cutter.facts;
    this.#phase = "running";
    this.#isHealing = false;
    statements.restart();
    const place = { held, conditions: settings.conditions, routesUnnamed };
    if (isOpen) {
      this.#unit.placeOpen(place);
    } else {
      this.#unit.placeOn(place);
    }
    this.#setup.send(placement.setups, backend);
    this.#isFeedFull = this.#setup.isRunning;
    backend.send(this.#unit);
  }

  /** What was to come before the unit has failed. Where the unit was sent, its answer is dropped. */
  #setupFailed(status: TransactionStatus): void {
    const { error } = this.#setup;
    if (error !== undefined && this.hold.lease?.backend.withdraw(this.#unit) === true) {
      this.#phase = "none";
      this.hold.transaction = status;
      this.#refuse(error);
    }
  }

  /** The parts of the answer that the server does not give, because it was not asked. */
  #answerLeftOut(count: number): void {
    for (let left = count; left > 0; left -= 1) {
      this.#options.source.answered(PARSE_COMPLETE);
    }
  }

  #ready(end: AnswerEnd): void {
    this.hold.transaction = end.transactionStatus;
    if (this.#setup.error !== undefined) {
      this.#refuse(this.#setup.error);
    } else if (this.#isHealing) {
      this.#options.placement.settle();
      if (this.hold.reason === undefined) {
        void this.hold.release();
      }
      this.#attempt();
    } else {
      this.#finish(end);
    }
  }

  /** What goes before the unit has failed, so that the unit has. */
  #refuse(error: PgwireError): void {
    this.#options.carried.failed();
    this.#release();
    this.#forget();
    this.#options.source.ended({ type: "refused", error: queryError(error) });
  }

  #finish(end: AnswerEnd): void {
    const { hold } = this;
    const { carried, source } = this.#options;
    if (this.isShared && hold.transaction !== "I") {
      const problem = "a statement began a transaction on a backend that is shared";
      this.#lose(internalError(problem), true);
      return;
    }
    carried.ran(source.cutter.facts, end);
    if (this.#isOutOfStep) {
      carried.forget();
      hold.discard(internalError("a COPY was cut off while its Sync was under way"));
    } else if (this.isShared) {
      // A setting that a shared statement has changed is not worth a backend of its own.
      carried.letGo();
      void hold.release();
    } else if (this.#ask()) {
      return;
    } else {
      this.#release();
    }
    this.#forget();
    source.ended(READY);
  }

  /** Asks the backend for settings that may have changed. Returns whether that is needed. */
  #ask(): boolean {
    const inquiry = this.#options.carried.inquiry((values, end) => this.#learned(values, end));
    if (inquiry === undefined) {
      return false;
    }
    this.#phase = "asking";
    this.hold.lease?.backend.send(inquiry.request);
    return true;
  }

  #learned(values: SettingValues | undefined, end: RequestEnd): void {
    this.#phase = "none";
    if (end.type === "lost") {
      this.#lose(queryError(end.error), true);
      return;
    }
    this.#options.carried.learned(values);
    this.#release();
    this.#forget();
    this.#options.source.ended(READY);
  }

  /** Gives the backend back, unless it is pinned. */
  #release(): void {
    const { hold } = this;
    if (hold.reason === undefined) {
      void hold.release();
    } else {
      hold.lease?.watch(this.#watcher);
    }
  }

  #lose(error: MultiPoolerError, isFatal: boolean): void {
    this.#options.carried.failed();
    this.hold.discard(error);
    this.#forget();
    this.#options.source.ended({ type: "lost", error, isFatal });
  }

  /** The backend has ended between two units. While one runs, that one is told. */
  #loseHeld(end: BackendEnd): void {
    if (this.#phase === "none" && this.hold.lease !== undefined) {
      const cause = end.type === "lost" ? end.error : undefined;
      const diagnostic = end.type === "lost" ? end.error.diagnostic : undefined;
      const problem = "the connection to the database was lost";
      const options = { cause, diagnostic };
      this.#lose(new MultiPoolerError(PoolerErrorCode.ConnectionLost, problem, options), true);
    }
  }

  /** Nothing of it reached the server, and nothing is lost with the backend. */
  #isRepeatable({ error }: Extract<RequestEnd, { type: "lost" }>): boolean {
    return (
      isUnsent(error) &&
      !this.#hasFed &&
      !this.#isAbandoned &&
      this.#interruption === undefined &&
      this.hold.reason === undefined &&
      this.#attempts < MAX_ATTEMPTS
    );
  }

  /**
   * Ends the input of a unit whose client is gone. The Sync behind a COPY of a group is passed over
   * by the COPY, unless a cancel ends that first: then it is answered, and so is the next one. Such a
   * backend is not used again.
   */
  #endInput(): void {
    const { facts } = this.#options.source.cutter;
    if (this.#feed.isCopyIn && facts.copies) {
      this.#isOutOfStep = facts.isExtended;
      this.#send(COPY_FAIL);
      this.#feed.end();
    }
    if (facts.isOpen) {
      facts.isOpen = false;
      this.#send(GROUP_FAIL);
    }
  }

  #send(bytes: Uint8Array): void {
    const { lease } = this.hold;
    if (lease !== undefined) {
      this.#hasFed = true;
      this.#isFeedFull = !lease.backend.feed(this.#unit, bytes);
    }
  }

  /** `undefined` while there is nothing to interrupt. */
  #interrupt(): UnitInterruption | undefined {
    const { lease } = this.hold;
    if (this.#phase !== "running" || lease === undefined) {
      return undefined;
    }
    const { clock, logger, terminate } = this.#options;
    const options = { backend: lease.backend, request: this.#unit, clock, logger, terminate };
    this.#interruption ??= new UnitInterruption(options);
    return this.#interruption;
  }

  #forget(): void {
    this.#unit.forget();
    if (this.#interruption !== undefined) {
      // The backend may still know the object by its cancel request.
      this.#interruption = undefined;
      this.#unit = this.#newUnit();
    }
  }

  #newUnit(): SessionUnit {
    const { origin, placement } = this.#options;
    return new SessionUnit({ origin, owner: this, placement });
  }
}
