import { systemClock } from "@multipooler/timing";
import type { Timer } from "@multipooler/timing";
import type { CallContext } from "./rpc.ts";

/** The deadline and the cancellation of a call of grpc-js. */
export interface EndingCall {
  /** Milliseconds since the Unix epoch, or a Date; Infinity for none. */
  getDeadline(): Date | number;
  getPeer(): string;
  on(event: "cancelled", listener: () => void): unknown;
  off(event: "cancelled", listener: () => void): unknown;
}

/**
 * How much before its deadline a call that ends counts as timed out: a client gives up at a
 * deadline that is earlier than the server's by the time that the request travelled.
 */
const DEADLINE_SLACK_MS = 10;

/**
 * Turns cancellation and deadline of one call into an AbortSignal. It has its own timer for the
 * deadline: grpc-js reports one only after everything that was written has left, which is never
 * for a client that does not read.
 */
export class CallLifetime implements CallContext {
  readonly #call: EndingCall;
  readonly #abort = new AbortController();
  readonly #deadline: number;
  readonly #timer: Timer | undefined;

  constructor(call: EndingCall) {
    this.#call = call;
    this.#deadline = Number(call.getDeadline());
    const leftMs = this.#deadline - systemClock.now();
    if (leftMs <= 0) {
      this.#onDeadline();
    } else if (leftMs < Number.POSITIVE_INFINITY) {
      this.#timer = systemClock.setTimer(this.#onDeadline, leftMs);
    }
    call.on("cancelled", this.#onCancelled);
  }

  get peer(): string {
    return this.#call.getPeer();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The call has been answered: nothing aborts any more. */
  end(): void {
    this.#timer?.cancel();
    this.#call.off("cancelled", this.#onCancelled);
  }

  readonly #onDeadline = (): void => {
    this.#abort.abort(new DOMException("the deadline of the call has passed", "TimeoutError"));
  };

  readonly #onCancelled = (): void => {
    if (systemClock.now() >= this.#deadline - DEADLINE_SLACK_MS) {
      this.#onDeadline();
    } else {
      this.#abort.abort(new DOMException("the call was cancelled", "AbortError"));
    }
  };
}
