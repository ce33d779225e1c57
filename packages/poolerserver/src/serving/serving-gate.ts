import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingState, ServingTarget } from "@multipooler/controller-api";
import { PoolerErrorCode } from "@multipooler/query-service";
import type { QueryMode } from "@multipooler/query-service";
import type { Clock } from "@multipooler/timing";
import { untilAborted } from "../abort.ts";
import { MultiPoolerError, abortError } from "../error.ts";
import type { Logger } from "../logger.ts";
import type { PoolerEventListener } from "../pooler-event.ts";
import type { ReadOnlyEscapes } from "../read-only-guard.ts";
import { isServingStatus, leavingError, readOnlyRefusal, refusal } from "./admission.ts";
import type { GatePhase, RequestKind } from "./admission.ts";
import { Drain } from "./drain.ts";
import { DrainTally } from "./drain-tally.ts";
import { Holders } from "./holders.ts";
import type { Holder, HolderCounts, HolderKind } from "./holders.ts";

const CLOSED: ServingTarget = {
  status: ServingStatus.NotServing,
  role: PoolerRole.Replica,
  reason: "the controller is not open",
};

export interface ServingGateOptions {
  /** How long leaving a serving status waits for what runs, both stages together; 0: without bound. */
  readonly drainGraceMs: number;
  /** Whether anything can be served now. */
  readonly isOpen: () => boolean;
  /**
   * Called when nothing runs any more, just before `target` is reached: the sessions of the next
   * status can be prepared, or all of them closed. What it throws fails the change.
   */
  readonly prepare: (target: ServingTarget) => void;
  readonly clock: Clock;
  /** Gets what seldom happens, for metrics. */
  readonly onEvent?: PoolerEventListener | undefined;
  readonly logger: Logger;
}

/**
 * | phase             | `current` | `wanted` | leaves when                                         |
 * | ----------------- | --------- | -------- | --------------------------------------------------- |
 * | settled           | target    | none     | another target is asked for, or it closes           |
 * | draining reserved | old       | new      | no reservation is left                              |
 * | draining all      | old       | new      | nothing is left that was admitted                   |
 * | closing           | old       | closed   | nothing is left that was admitted                   |
 */
type State =
  | { readonly phase: "settled"; readonly current: ServingTarget }
  | {
      readonly phase: Exclude<GatePhase, "settled">;
      readonly current: ServingTarget;
      readonly wanted: ServingTarget;
    };

/**
 * Decides what is admitted, and brings the serving status from one target to the next.
 *
 * Leaving a serving status, or its role, drains first: see `admission.ts` for who still gets in. At
 * the end of the grace what still runs is cut, and the drain ends when that has ended: a status is
 * never left while a write that it allowed is under way.
 *
 * | a drain is | by                                                  | afterwards                    |
 * | ---------- | --------------------------------------------------- | ----------------------------- |
 * | reversed   | the target that is being left, if no other one waits | it serves as before, at once |
 * | aborted    | the signal of the target that it leads to           | nothing is admitted           |
 *
 * What still runs then runs on. The target that an aborted drain was leaving is reached at once.
 */
export class ServingGate {
  readonly #options: ServingGateOptions;
  readonly #holders = new Holders();
  #state: State = { phase: "settled", current: CLOSED };
  /** What the sessions were last prepared for. A drain that was aborted can go back to it at once. */
  #prepared: ServingTarget | undefined;
  readonly #tally = new DrainTally();
  /** The one that is under way. */
  #drain: Drain | undefined;
  /** Settles when the transitions that were asked for so far have ended, if any is under way. */
  #lastTurn: Promise<void> | undefined;
  /** How many transitions are under way or wait. */
  #turns = 0;

  constructor(options: ServingGateOptions) {
    this.#options = options;
  }

  get state(): ServingState {
    const state = this.#state;
    return {
      current: state.current,
      wanted: state.phase === "settled" ? undefined : state.wanted,
      drains: this.#tally.totals,
    };
  }

  get isServing(): boolean {
    return this.#state.phase === "settled" && isServingStatus(this.#state.current.status);
  }

  /** What is inside, by kind. */
  get counts(): HolderCounts {
    return this.#holders.counts;
  }

  /** Why a request would not be admitted now, or `undefined` if it would. */
  refusal(kind: RequestKind, mode: QueryMode): MultiPoolerError | undefined {
    return refusal(kind, mode, this.#state);
  }

  /**
   * Admits a new request; `holder` counts until {@link leave}.
   *
   * @throws NOT_SERVING if the status or, for this mode, the role does not allow it.
   */
  enter(kind: "single" | "reservation", mode: QueryMode, holder: Holder): void {
    const error = this.refusal(kind, mode);
    if (error !== undefined) {
      throw error;
    }
    this.#holders.add(kind === "single" ? "single" : "reserved", holder);
  }

  /**
   * Admits a request inside a reservation, which is counted already.
   *
   * @throws NOT_SERVING once the controller closes.
   */
  enterReserved(mode: QueryMode): void {
    const error = this.refusal("reserved", mode);
    if (error !== undefined) {
      throw error;
    }
  }

  /**
   * Why a statement that is admitted now may not run: one of its `escapes` could end read-only mode
   * or administers the cluster.
   */
  readOnlyRefusal(escapes: ReadOnlyEscapes | undefined): MultiPoolerError | undefined {
    return readOnlyRefusal(this.#state.current, escapes);
  }

  /** A request that is inside has turned out to hold its backend, or not to hold it any more. */
  change(kind: HolderKind, holder: Holder): void {
    this.#holders.change(kind, holder);
  }

  /** The request has ended and holds nothing any more. Further calls do nothing. */
  leave(holder: Holder): void {
    this.#holders.remove(holder);
  }

  /** See `PoolerController.setServingType`. */
  async setTarget(target: ServingTarget, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) {
      throw abortError(signal);
    }
    if (!this.#reverse(target)) {
      await this.#inTurn(() => this.#transition(target, signal), signal);
    }
  }

  /** Cuts what runs, admits nothing any more, and resolves when nothing runs. */
  async close(): Promise<void> {
    this.#state = { phase: "closing", current: this.#state.current, wanted: CLOSED };
    this.#drain?.overtake();
    this.#holders.cutAll(new MultiPoolerError(PoolerErrorCode.NotOpen, "the controller closes"));
    await this.#inTurn(async () => {
      await this.#holders.until(isEmpty);
      this.#prepared = undefined;
      this.#state = { phase: "settled", current: CLOSED };
    });
  }

  /** Begins before it returns, unless an earlier turn is under way. */
  async #inTurn(work: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    const before = this.#lastTurn;
    this.#turns += 1;
    const turn = Promise.withResolvers<void>();
    const ended = before === undefined ? turn.promise : before.then(() => turn.promise);
    this.#lastTurn = ended;
    void ended.then(() => {
      if (this.#lastTurn === ended) {
        this.#lastTurn = undefined;
      }
    });
    try {
      if (before !== undefined) {
        await untilAborted(before, signal);
      }
      await work();
    } finally {
      this.#turns -= 1;
      turn.resolve();
    }
  }

  async #transition(target: ServingTarget, signal: AbortSignal | undefined): Promise<void> {
    const { current } = this.#state;
    const becomesServing = isServingStatus(target.status);
    if (becomesServing) {
      this.#requireOpen(target);
    }
    // What a failed change left running is still drained, so this holds for serving targets only.
    if (becomesServing && this.#isPreparedFor(target)) {
      this.#settle(target);
      return;
    }
    const startedAt = this.#options.clock.monotonic();
    const drain = this.#newDrain(target);
    this.#drain = drain;
    try {
      await drain.run(signal);
      if (becomesServing) {
        // It may have been closed during the drain.
        this.#requireOpen(target);
      }
      this.#prepared = undefined;
      this.#options.prepare(target);
      this.#prepared = target;
    } catch (error) {
      if (!drain.isReversed) {
        this.#settle(stoppedTarget(current, target));
      }
      throw error;
    } finally {
      this.#drain = undefined;
      if (isServingStatus(current.status)) {
        this.#tally.add(drain);
        this.#report(current, drain);
      }
    }
    this.#settle(target);
    // The manager logs each transition; this is the controller's part of it.
    this.#options.logger.debug(
      {
        from: `${current.status} ${current.role}`,
        to: `${target.status} ${target.role}`,
        reason: target.reason,
        durationMs: Math.round(this.#options.clock.monotonic() - startedAt),
      },
      "serving status changed",
    );
  }

  #newDrain(wanted: ServingTarget): Drain {
    const { drainGraceMs, clock, logger } = this.#options;
    const { current } = this.#state;
    return new Drain({
      holders: this.#holders,
      graceMs: drainGraceMs,
      clock,
      logger,
      onPhase: (phase) => this.#advance({ phase, current, wanted }),
      reason: () => leavingError(wanted),
    });
  }

  #report({ role }: ServingTarget, { outcome, durationMs, cutRequests }: Drain): void {
    if (outcome === "completed" || outcome === "cut") {
      this.#options.onEvent?.({ type: "drained", role, durationMs, cut: cutRequests });
    }
  }

  /** Goes back to what is being left, unless something else is to come first. Returns whether it has. */
  #reverse(target: ServingTarget): boolean {
    const { phase } = this.#state;
    const isDraining = phase === "draining reserved" || phase === "draining all";
    const isHeld = isServingStatus(target.status) && this.#isPreparedFor(target);
    if (!isDraining || !isHeld || this.#turns > 1) {
      return false;
    }
    this.#requireOpen(target);
    if (this.#drain?.turnBack() !== true) {
      return false;
    }
    this.#settle(target);
    return true;
  }

  /** Closing overtakes a drain: its phase is not left before its end. */
  #advance(state: State): void {
    if (this.#state.phase !== "closing") {
      this.#state = state;
    }
  }

  #settle(current: ServingTarget): void {
    this.#advance({ phase: "settled", current });
  }

  #isPreparedFor({ status, role, inRecovery = false }: ServingTarget): boolean {
    const prepared = this.#prepared;
    return (
      prepared?.status === status &&
      prepared.role === role &&
      (prepared.inRecovery ?? false) === inRecovery
    );
  }

  #requireOpen(target: ServingTarget): void {
    if (this.#options.isOpen()) {
      return;
    }
    const message = `the controller is not open, and cannot become ${target.status}`;
    throw new MultiPoolerError(PoolerErrorCode.NotOpen, message);
  }
}

function isEmpty({ single, reserved }: HolderCounts): boolean {
  return single === 0 && reserved === 0;
}

/** Where a transition that failed leaves the gate: with the old role, and admitting nothing. */
function stoppedTarget(current: ServingTarget, target: ServingTarget): ServingTarget {
  const reason = `the change to ${target.status} did not complete`;
  return { ...current, status: ServingStatus.NotServing, reason };
}
