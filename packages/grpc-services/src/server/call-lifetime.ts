import type { CallContext } from "./rpc.ts";

/** The deadline and the cancellation of a call of grpc-js. */
export interface EndingCall {
  /** Milliseconds since the Unix epoch, or a Date; Infinity for none. */
  getDeadline(): Date | number;
  on(event: "cancelled", listener: () => void): unknown;
  off(event: "cancelled", listener: () => void): unknown;
}

/**
 * How much before its deadline a call that ends counts as timed out: a client gives up at a
 * deadline that is earlier than the server's by the time that the request travelled.
 */
const DEADLINE_SLACK_MS = 10;
/** Node fires a timer of more than this at once. */
const MAX_TIMER_MS = 0x7fff_ffff;

/**
 * Turns cancellation and deadline of one call into an AbortSignal. It has its own timer for the
 * deadline: grpc-js reports one only after everything that was written has left, which is never
 * for a client that does not read.
 */
export class CallLifetime implements CallContext {
  readonly #call: EndingCall;
  readonly #abort = new AbortController();
  readonly #deadline: number;
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(call: EndingCall) {
    this.#call = call;
    this.#deadline = Number(call.getDeadline());
    const leftMs = this.#deadline - Date.now();
    // Node prints a warning for a negative time.
    if (leftMs <= 0) {
      this.#onDeadline();
    } else if (leftMs <= MAX_TIMER_MS) {
      this.#timer = setTimeout(this.#onDeadline, leftMs);
    }
    call.on("cancelled", this.#onCancelled);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The call has been answered: nothing aborts any more. */
  end(): void {
    clearTimeout(this.#timer);
    this.#call.off("cancelled", this.#onCancelled);
  }

  readonly #onDeadline = (): void => {
    this.#abort.abort(new DOMException("the deadline of the call has passed", "TimeoutError"));
  };

  readonly #onCancelled = (): void => {
    if (Date.now() >= this.#deadline - DEADLINE_SLACK_MS) {
      this.#onDeadline();
    } else {
      this.#abort.abort(new DOMException("the call was cancelled", "AbortError"));
    }
  };
}
