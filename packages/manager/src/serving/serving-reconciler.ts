import type { ServingTarget } from "@multipooler/controller-api";
import type { CallOptions } from "@multipooler/query-service";
import { Backoff, Deadline, PeriodicTask } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { FailureLog } from "../failure-log.ts";
import type { Logger } from "../logger.ts";
import { admits, notServing, sameTarget } from "./serving-target.ts";

/** The single steps of a transition. Each may be repeated, and ends soon after an abort. */
export interface ServingSteps {
  /** The target that the controller has reached. */
  current(): ServingTarget;
  /** Makes everything ready for a target that admits queries. */
  prepare(target: ServingTarget, options: CallOptions): Promise<void>;
  /** Tells the topology the role that is about to be taken, and waits until it is written. */
  claim(target: ServingTarget, options: CallOptions): Promise<void>;
  /** Brings the controller to a target, drain included. */
  setServingType(target: ServingTarget, options: CallOptions): Promise<void>;
  /** Ends what only a serving pooler does. Where `next` admits no query, the server is let go. */
  retire(next: ServingTarget, options: CallOptions): Promise<void>;
  /** Tells topology and watchers what holds now. Does not wait. */
  announce(announcement: ServingAnnouncement): void;
}

/** What the topology learns: `draining` from the moment that a target is being left. */
export interface ServingAnnouncement {
  readonly target: ServingTarget;
  readonly draining: boolean;
}

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
  #attempt: { readonly target: ServingTarget; readonly abort: AbortController } | undefined;

  constructor(options: ServingReconcilerOptions) {
    const { clock, logger, random } = options;
    this.#options = options;
    this.#task = new PeriodicTask({ clock, run: (stop) => this.#converge(stop) });
    this.#backoff = new Backoff({ minMs: 100, maxMs: 5_000, random });
    this.#log = new FailureLog({ clock, logger, what: "changing the serving status" });
  }

  progress(): ReconcilerProgress {
    return { wanted: this.#wanted, reached: this.#reached, lastError: this.#lastError };
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
    await this.#leave(this.#wanted, signal);
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
    this.#attempt = { target, abort };
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
      this.#attempt = undefined;
    }
  }

  async #transition(target: ServingTarget, signal: AbortSignal): Promise<void> {
    const { steps, logger, clock } = this.#options;
    const { status, role } = steps.current();
    const startedAt = clock.monotonic();
    if (!admits(target.status) || this.#mustLeave(target)) {
      await this.#leave(target, signal);
    }
    if (admits(target.status)) {
      await this.#enter(target, signal);
    }
    const isSame = status === target.status && role === target.role;
    logger[isSame ? "debug" : "info"](
      {
        from: `${status} ${role}`,
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
    await steps.setServingType(rest, { signal });
    await steps.retire(target, { signal });
    steps.announce({ target: rest, draining: false });
  }

  async #enter(target: ServingTarget, signal: AbortSignal): Promise<void> {
    const { steps } = this.#options;
    await steps.prepare(target, { signal });
    signal.throwIfAborted();
    await steps.claim(target, { signal });
    signal.throwIfAborted();
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
    const { status, role, inRecovery = false } = this.#options.steps.current();
    return (
      admits(status) &&
      (status !== target.status ||
        role !== target.role ||
        inRecovery !== (target.inRecovery ?? false))
    );
  }

  #succeed(): void {
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
    this.#log.failed(error);
    this.#options.onChange();
    this.#options.onFailure();
    return this.#backoff.nextMs();
  }
}
