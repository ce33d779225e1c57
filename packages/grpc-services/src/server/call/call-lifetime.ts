import type { Clock } from "@multipooler/timing";
import type { CallDeadlines, Expiring } from "./call-deadlines.ts";

export interface CallLifetimeOptions {
  /** What the client allows the call; `undefined`: it does not say. */
  readonly timeoutMs: number | undefined;
  /** Called when that has passed, after the signal has aborted. */
  readonly onTimeout: () => void;
  readonly deadlines: CallDeadlines;
  readonly clock: Clock;
}

/**
 * How much before its deadline a call that ends counts as timed out: a client gives up at a
 * deadline that is earlier than the server's by the time that the request travelled.
 */
const DEADLINE_SLACK_MS = 10;

/** Turns cancellation and deadline of one call into an AbortSignal. */
export class CallLifetime implements Expiring {
  readonly deadline: number;
  readonly #clock: Clock;
  readonly #deadlines: CallDeadlines;
  readonly #onTimeout: () => void;
  readonly #abort = new AbortController();

  constructor({ timeoutMs, onTimeout, deadlines, clock }: CallLifetimeOptions) {
    this.#clock = clock;
    this.#deadlines = deadlines;
    this.#onTimeout = onTimeout;
    if (timeoutMs === undefined) {
      this.deadline = Number.POSITIVE_INFINITY;
      return;
    }
    this.deadline = clock.monotonic() + timeoutMs;
    deadlines.add(this);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The client has cancelled the call, or is gone. */
  cancel(): void {
    this.#deadlines.remove(this);
    if (this.#clock.monotonic() >= this.deadline - DEADLINE_SLACK_MS) {
      this.#abort.abort(timeoutError());
    } else {
      this.#abort.abort(new DOMException("the call was cancelled", "AbortError"));
    }
  }

  /** The call has been answered: its deadline does not matter any more. */
  end(): void {
    this.#deadlines.remove(this);
  }

  expire(): void {
    this.#abort.abort(timeoutError());
    this.#onTimeout();
  }
}

function timeoutError(): DOMException {
  return new DOMException("the deadline of the call has passed", "TimeoutError");
}
