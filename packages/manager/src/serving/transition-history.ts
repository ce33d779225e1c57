import type { PoolerRole, ServingStatus, ServingTarget } from "@multipooler/controller-api";
import type { Clock } from "@multipooler/timing";
import { messageOf } from "../error-message.ts";

/** Where a transition begins or leads to. */
export interface TransitionEnd {
  readonly status: ServingStatus;
  readonly role: PoolerRole;
}

/**
 * What became of a transition.
 *
 * | outcome    | means                                                            |
 * | ---------- | ---------------------------------------------------------------- |
 * | running    | it is not over; `error` says why the last attempt failed, if any did |
 * | reached    | the pooler is there                                              |
 * | reversed   | what was being left was wanted again while it drained            |
 * | superseded | something else was wanted first                                  |
 */
export type TransitionOutcome = "running" | "reached" | "reversed" | "superseded";

/** One transition, all its attempts together. */
export interface TransitionRecord {
  readonly startedAt: Date;
  readonly from: TransitionEnd;
  readonly to: TransitionEnd;
  /** Why it was wanted, one clause. */
  readonly reason: string;
  readonly outcome: TransitionOutcome;
  /** From its first attempt to its end; until now while it runs. */
  readonly durationMs: number;
  readonly attempts: number;
  /** Why the last attempt failed, one line; `undefined` after one that did not. */
  readonly error: string | undefined;
}

/** How many transitions are remembered. */
const MAX_TRANSITIONS = 64;

interface Running {
  readonly startedAt: Date;
  readonly sinceMs: number;
  readonly from: TransitionEnd;
  readonly target: ServingTarget;
  attempts: number;
  error: string | undefined;
}

/** The last transitions, oldest first. At most one runs. */
export class TransitionHistory {
  readonly #clock: Clock;
  readonly #past: TransitionRecord[] = [];
  #running: Running | undefined;

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock;
  }

  /** The last 64, the one that runs included. */
  all(): readonly TransitionRecord[] {
    const running = this.#running;
    const all =
      running === undefined ? this.#past : [...this.#past, this.#record(running, "running")];
    return all.slice(-MAX_TRANSITIONS);
  }

  /** An attempt begins: the first one of a transition, or a further one. */
  attempt(from: ServingTarget, target: ServingTarget): void {
    this.#running ??= {
      startedAt: new Date(this.#clock.now()),
      sinceMs: this.#clock.monotonic(),
      from: { status: from.status, role: from.role },
      target,
      attempts: 0,
      error: undefined,
    };
    this.#running.attempts += 1;
  }

  /** An attempt has failed; the transition goes on. */
  failed(error: unknown): void {
    if (this.#running !== undefined) {
      this.#running.error = messageOf(error);
    }
  }

  /** The transition is over. Without one, nothing happens. */
  ended(outcome: Exclude<TransitionOutcome, "running">): void {
    const running = this.#running;
    if (running === undefined) {
      return;
    }
    this.#running = undefined;
    if (outcome === "reached") {
      running.error = undefined;
    }
    this.#past.push(this.#record(running, outcome));
    this.#past.splice(0, this.#past.length - MAX_TRANSITIONS);
  }

  #record(running: Running, outcome: TransitionOutcome): TransitionRecord {
    const { startedAt, sinceMs, from, target, attempts, error } = running;
    return {
      startedAt,
      from,
      to: { status: target.status, role: target.role },
      reason: target.reason,
      outcome,
      durationMs: Math.round(this.#clock.monotonic() - sinceMs),
      attempts,
      error,
    };
  }
}
