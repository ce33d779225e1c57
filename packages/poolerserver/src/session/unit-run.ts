import type { AnswerEnd, RequestEnd } from "@multipooler/pgwire";
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
import { SessionHold } from "./session-hold.ts";
import { internalError } from "./session-refusal.ts";
import { findSettingsReset } from "./settings-reset.ts";
import { SessionUnit } from "./session-unit.ts";
import type { UnitOwner } from "./session-unit.ts";
import type { UnitCutter } from "./unit-cutter.ts";
import { UnitFeed } from "./unit-feed.ts";
import type { FeedStep } from "./unit-feed.ts";
import type { StartupSettings } from "./startup-settings.ts";
import { UnitInterruption } from "./unit-interruption.ts";

/** A unit that certainly was not sent is tried on so many backends. */
const MAX_ATTEMPTS = 3;

/**
 * How a unit ended.
 *
 * | end     | means                                                                               |
 * | ------- | ----------------------------------------------------------------------------------- |
 * | ready   | its answer was passed on, ReadyForQuery included                                    |
 * | refused | it got no backend                                                                   |
 * | lost    | its backend is gone. `isFatal`: with something that the client relies on, or amid an answer |
 */
export type UnitEnd =
  | { readonly type: "ready" }
  | { readonly type: "refused"; readonly error: MultiPoolerError }
  | { readonly type: "lost"; readonly error: MultiPoolerError; readonly isFatal: boolean };

const READY: UnitEnd = { type: "ready" };

/** Where the units of a session come from, and where their answers go. None of these may throw. */
export interface UnitSource {
  readonly cutter: UnitCutter;
  /** The next bytes of the answer, or what came between two units. False: the client is behind. */
  answered(bytes: Uint8Array): boolean;
  ended(end: UnitEnd): void;
  /** More of an open unit may be sent. */
  goOn(): void;
}

export interface UnitRunOptions {
  readonly source: UnitSource;
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
  readonly hold: SessionHold = new SessionHold();
  #unit: SessionUnit;
  #phase: "none" | "queued" | "running" = "none";
  #attempts = 0;
  #hasAnswered = false;
  #hasFed = false;
  /** The backend takes no more of an open unit for now. */
  #isFeedFull = false;
  /** Nobody wants the rest of the answer. */
  #isAbandoned = false;
  /** How often the server will say that it is ready is not known any more. */
  #isOutOfStep = false;
  #interruption: UnitInterruption | undefined;
  readonly #watcher: BackendWatcher = {
    onEnded: (end) => this.#loseHeld(end),
    onUnasked: (message) => void this.#options.source.answered(message),
  };

  constructor(options: UnitRunOptions) {
    this.#options = options;
    this.#feed = new UnitFeed({ cutter: options.source.cutter });
    this.#unit = this.#newUnit();
  }

  get phase(): "none" | "queued" | "running" {
    return this.#phase;
  }

  /** Whether it runs behind or before units of others. */
  get isShared(): boolean {
    return this.#unit.kind !== "exclusive";
  }

  /** Takes a backend that has the client's settings. */
  adopt(lease: Lease, settings: StartupSettings): void {
    this.hold.adopt(lease, settings);
    lease.watch(this.#watcher);
  }

  /** Runs `bytes`: on the backend that is held, or on one of the scheduler's. */
  start(bytes: Uint8Array): void {
    const { facts } = this.#options.source.cutter;
    this.#unit.become(this.hold.lease === undefined ? facts.kind : "exclusive", bytes);
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
    this.#forget();
    return true;
  }

  /** Sends on what belongs to the unit that runs. Returns what stopped that. */
  feedMore(): FeedStep {
    const { facts } = this.#options.source.cutter;
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
      this.#send(this.#feed.take());
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
    this.#phase = "running";
    lease.backend.send(this.#unit);
    if (this.#options.source.cutter.facts.isOpen) {
      this.#options.source.goOn();
    }
  }

  refused(error: MultiPoolerError): void {
    this.#phase = "none";
    this.#forget();
    this.#options.source.ended({ type: "refused", error });
  }

  answered(bytes: Uint8Array): boolean {
    const { source } = this.#options;
    this.#hasAnswered = true;
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
        this.hold.transaction = end.transactionStatus;
        this.#finish(end);
        return;
      case "sinkFailed":
        this.#lose(internalError("the answer could not be passed on", end.cause), true);
        return;
      case "lost":
        if (this.#isRepeatable(end)) {
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
    } else {
      const reports = this.hold.restore();
      this.#phase = "running";
      lease.backend.send(this.#unit);
      if (reports !== undefined) {
        this.#options.source.answered(reports);
      }
    }
  }

  #finish({ settingsReported, error }: AnswerEnd): void {
    const { hold } = this;
    if (this.isShared && hold.transaction !== "I") {
      const problem = "a statement began a transaction on a backend that is shared";
      this.#lose(internalError(problem), true);
      return;
    }
    if (this.#isOutOfStep) {
      hold.discard(internalError("a COPY was cut off while its Sync was under way"));
      this.#forget();
      this.#options.source.ended(READY);
      return;
    }
    const { facts, text } = this.#options.source.cutter;
    const hasSucceeded = error === undefined;
    hold.ran(facts, { settingsReported, hasSucceeded });
    if (hasSucceeded && facts.runsText && hold.mayLose(facts)) {
      hold.takenBack(findSettingsReset(text));
    }
    // A setting that a shared statement has changed is not worth a backend of its own.
    if (this.isShared || hold.reason === undefined) {
      void hold.release();
    } else {
      hold.lease?.watch(this.#watcher);
    }
    this.#forget();
    this.#options.source.ended(READY);
  }

  #lose(error: MultiPoolerError, isFatal: boolean): void {
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
    return new SessionUnit({ origin: this.#options.origin, owner: this });
  }
}
