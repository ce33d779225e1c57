import type { ServingTarget } from "@multipooler/controller-api";
import type { CallOptions } from "@multipooler/query-service";
import { Backoff, Deadline, PeriodicTask } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { FailureLog } from "../failure-log.ts";
import type { Logger } from "../logger.ts";
import type { ServingSteps } from "./serving-steps.ts";
import { admits, notServing, sameTarget } from "./serving-target.ts";
import { TransitionHistory } from "./transition-history.ts";
import type { TransitionRecord } from "./transition-history.ts";

export interface ServingReconcilerOptions {
  readonly steps: ServingSteps;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Called, synchronously, whenever {@link ServingReconciler.progress} changes. */
  readonly onChange: () => void;
  /** Called after each attempt that failed, unless something else is wanted by then. */
  readonly onFailure: () => void;
}

/** How far the reconciler is. */
export interface ReconcilerProgress {
  readonly wanted: ServingTarget;
  /** True when the wanted target is reached and was announced. */
  readonly reached: boolean;
  /** Why the last attempt failed; `undefined` after one that did not. */
  readonly lastError: unknown;
}

/** One turn of the task, from its beginning to its end. */
interface Attempt {
  readonly target: ServingTarget;
  /** Aborts when something else is wanted. */
  readonly abort: AbortController;
  /** Aborts when the reconciler closes. */
  readonly stop: AbortSignal;
  /** Whether the controller drains, and nothing else has been let go yet. */
  isDraining: boolean;
  /** Settles when the controller is back at what it was draining from. */
  reversal: Promise<void> | undefined;
}

/** The longest that one attempt may take, drain included. */
const ATTEMPT_TIMEOUT_MS = 30_000;

/**
 * Brings what is to what is wanted: one transition at a time, each attempt bounded, retried with
 * backoff for as long as it is wanted, and given up as soon as something else is.
 *
 * A target that admits queries is left before another is entered, in this order:
 *
 * | leave                                | enter                                                |
 * | ------------------------------------ | ---------------------------------------------------- |
 * | 1. announce that it is being left    | 1. prepare database, heartbeat and controller        |
 * | 2. stop serving, after a drain       | 2. claim the role in the topology                    |
 * | 3. end the heartbeat; let the server go where none is entered | 3. serve                    |
 * | 4. announce what is left of the role | 4. announce that it serves                           |
 *
 * Where what is being left is wanted again during step 2, the controller reverses its drain and serves
 * on; then only the announcement is taken back.
 *
 * So nobody reads from the topology that a pooler serves when it does not, and no pooler serves in
 * a role that the topology was not told of.
 */
export class ServingReconciler {
  readonly #options: ServingReconcilerOptions;
  readonly #task: PeriodicTask;
  readonly #backoff: Backoff;
  readonly #log: FailureLog;
  #wanted: ServingTarget = notServing("the topology has not named the type yet");
  #reached = false;
  #lastError: unknown;
  #attempt: Attempt | undefined;
  readonly #history: TransitionHistory;

  constructor(options: ServingReconcilerOptions) {
    const { clock, logger, random } = options;
    this.#options = options;
    this.#task = new PeriodicTask({ clock, run: (stop) => this.#converge(stop) });
    this.#backoff = new Backoff({ minMs: 100, maxMs: 5_000, random });
    this.#log = new FailureLog({ clock, logger, what: "changing the serving status" });
    this.#history = new TransitionHistory({ clock });
  }

  progress(): ReconcilerProgress {
    return { wanted: this.#wanted, reached: this.#reached, lastError: this.#lastError };
  }

  /** The last transitions, oldest first. */
  history(): readonly TransitionRecord[] {
    return this.#history.all();
  }

  /** Begins to reconcile. Idempotent. */
  open(): void {
    this.#task.open();
  }

  /**
   * Changes what is wanted. That a serving target is being left is announced before this returns. A
   * target that differs in its reason only stays reached, and the controller learns of the reason.
   */
  want(target: ServingTarget): void {
    const before = this.#wanted;
    this.#wanted = target;
    if (sameTarget(before, target)) {
      // What is not reached is on its way, or waits for its next attempt.
      if (this.#reached && before.reason !== target.reason) {
        this.#task.poke();
      }
      return;
    }
    this.#reached = false;
    const isReversed = this.#reverse(target);
    this.#history.ended(isReversed ? "reversed" : "superseded");
    this.#announceLeaving(target);
    if (this.#attempt !== undefined && !sameTarget(this.#attempt.target, target)) {
      this.#attempt.abort.abort(new Error("another serving status is wanted"));
    }
    this.#backoff.reset();
    this.#task.poke();
    this.#options.onChange();
  }

  /**
   * Stops reconciling and makes one last attempt, to stop serving, which the signal bounds. Rejects
   * where that fails.
   */
  async close(reason: string, { signal }: CallOptions = {}): Promise<void> {
    this.want(notServing(reason));
    await this.#task.close();
    const from = this.#options.steps.current();
    if (!isAt(from, this.#wanted)) {
      this.#history.attempt(from, this.#wanted);
    }
    try {
      await this.#leave(this.#wanted, signal);
    } catch (error) {
      this.#history.failed(error);
      throw error;
    }
    this.#history.ended("reached");
    this.#reached = true;
    this.#options.onChange();
  }

  /** One turn of the task: resolves with the delay before the next. */
  async #converge(stop: AbortSignal): Promise<number | undefined> {
    const { steps } = this.#options;
    const target = this.#wanted;
    if (this.#reached && steps.current().reason === target.reason) {
      return undefined;
    }
    const abort = new AbortController();
    const attempt: Attempt = { target, abort, stop, isDraining: false, reversal: undefined };
    this.#attempt = attempt;
    const superseded = AbortSignal.any([stop, abort.signal]);
    using bound = new Deadline({
      clock: this.#options.clock,
      ms: ATTEMPT_TIMEOUT_MS,
      what: "the transition",
      signal: superseded,
    });
    try {
      if (this.#reached) {
        await steps.setServingType(target, { signal: bound.signal });
      } else {
        await this.#transition(target, bound.signal);
      }
      // The last step may have ignored the abort.
      superseded.throwIfAborted();
      this.#succeed();
      return this.#wanted.reason === target.reason ? undefined : 0;
    } catch (error) {
      return superseded.aborted ? 0 : this.#fail(error);
    } finally {
      await attempt.reversal;
      this.#attempt = undefined;
    }
  }

  /** Goes back to what the controller is draining from, if that is wanted. Returns whether it does. */
  #reverse(target: ServingTarget): boolean {
    const attempt = this.#attempt;
    const isBack = admits(target.status) && isAt(this.#options.steps.current(), target);
    if (attempt === undefined || !attempt.isDraining || !isBack) {
      return false;
    }
    attempt.isDraining = false;
    attempt.reversal = this.#goBack(target, attempt.stop);
    return true;
  }

  async #goBack(target: ServingTarget, stop: AbortSignal): Promise<void> {
    const { steps, clock, logger } = this.#options;
    using bound = new Deadline({
      clock,
      ms: ATTEMPT_TIMEOUT_MS,
      what: "reversing the drain",
      signal: stop,
    });
    try {
      await steps.setServingType(target, { signal: bound.signal });
    } catch (error) {
      // The next attempt finds the controller wherever this one has left it.
      logger.warn({ err: error }, "a drain could not be reversed");
    }
  }

  async #transition(target: ServingTarget, signal: AbortSignal): Promise<void> {
    const { steps, logger, clock } = this.#options;
    const from = steps.current();
    const startedAt = clock.monotonic();
    const isThere = isAt(from, target);
    if (!isThere) {
      this.#history.attempt(from, target);
    }
    if (!admits(target.status) || this.#mustLeave(target)) {
      await this.#leave(target, signal);
    }
    if (admits(target.status)) {
      await this.#enter(target, signal);
    }
    logger[isThere ? "debug" : "info"](
      {
        from: `${from.status} ${from.role}`,
        to: `${target.status} ${target.role}`,
        reason: target.reason,
        durationMs: Math.round(clock.monotonic() - startedAt),
      },
      "serving status changed",
    );
  }

  async #leave(target: ServingTarget, signal: AbortSignal | undefined): Promise<void> {
    const { steps } = this.#options;
    this.#announceLeaving(target);
    const rest = admits(target.status) ? notServing(`on the way: ${target.reason}`) : target;
    await this.#drain(rest, signal);
    await steps.retire(target, { signal });
    steps.announce({ target: rest, draining: false });
  }

  async #drain(rest: ServingTarget, signal: AbortSignal | undefined): Promise<void> {
    const { steps } = this.#options;
    const attempt = this.#attempt;
    if (attempt !== undefined) {
      attempt.isDraining = true;
    }
    try {
      await steps.setServingType(rest, { signal });
    } finally {
      if (attempt !== undefined) {
        attempt.isDraining = false;
      }
    }
  }

  async #enter(target: ServingTarget, signal: AbortSignal): Promise<void> {
    const { steps } = this.#options;
    await steps.prepare(target, { signal });
    signal.throwIfAborted();
    // A controller that is there already, after a drain that was reversed, holds its claim.
    if (!admits(steps.current().status) || !sameTarget(steps.current(), target)) {
      await steps.claim(target, { signal });
      signal.throwIfAborted();
    }
    await steps.setServingType(target, { signal });
    signal.throwIfAborted();
    steps.announce({ target, draining: false });
  }

  #announceLeaving(target: ServingTarget): void {
    if (!this.#mustLeave(target)) {
      return;
    }
    const { steps } = this.#options;
    steps.announce({ target: steps.current(), draining: true });
  }

  /** Whether the controller admits queries in another way than `target` does. */
  #mustLeave(target: ServingTarget): boolean {
    const current = this.#options.steps.current();
    return admits(current.status) && !isAt(current, target);
  }

  #succeed(): void {
    this.#history.ended("reached");
    this.#reached = true;
    this.#lastError = undefined;
    this.#backoff.reset();
    this.#log.succeeded();
    this.#options.onChange();
  }

  #fail(error: unknown): number {
    // Where only the reason was to change, less than before may be admitted now.
    this.#reached = false;
    this.#lastError = error;
    this.#history.failed(error);
    this.#log.failed(error);
    this.#options.onChange();
    this.#options.onFailure();
    return this.#backoff.nextMs();
  }
}

/** Whether it admits queries as `target` does; reason and term may differ. */
function isAt({ status, role, inRecovery = false }: ServingTarget, target: ServingTarget): boolean {
  const isSame = status === target.status && role === target.role;
  return isSame && inRecovery === (target.inRecovery ?? false);
}
