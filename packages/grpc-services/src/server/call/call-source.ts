import { GrpcServicesError, GrpcServicesErrorCode } from "../../errors/error.ts";
import type { MessageSource } from "../rpc.ts";

export interface CallSourceOptions {
  /** Has the next message, or the end, handed to {@link CallSource.take}. */
  readonly want: () => void;
  /** Aborts when the call ends early. */
  readonly signal: AbortSignal;
}

/** What a handler that takes several messages reads from. */
export class CallSource implements MessageSource<Uint8Array> {
  readonly #want: () => void;
  readonly #signal: AbortSignal;
  #hasEnded = false;
  #wanted: PromiseWithResolvers<Uint8Array | undefined> | undefined;

  constructor({ want, signal }: CallSourceOptions) {
    this.#want = want;
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#wanted?.reject(endedError(signal)), {
      once: true,
    });
  }

  async next(): Promise<Uint8Array | undefined> {
    if (this.#signal.aborted) {
      throw endedError(this.#signal);
    }
    if (this.#hasEnded) {
      return undefined;
    }
    const wanted = Promise.withResolvers<Uint8Array | undefined>();
    this.#wanted = wanted;
    this.#want();
    return await wanted.promise;
  }

  /** The message that was wanted; `undefined`: the client has sent its last. */
  take(message: Uint8Array | undefined): void {
    this.#hasEnded = message === undefined;
    const wanted = this.#wanted;
    this.#wanted = undefined;
    wanted?.resolve(message);
  }
}

/** Why a client says nothing more, from the signal of its call. */
function endedError({ reason }: AbortSignal): GrpcServicesError {
  return reason instanceof Error && reason.name === "TimeoutError"
    ? new GrpcServicesError(
        GrpcServicesErrorCode.ReceiveTimeout,
        "the deadline passed before the client had sent everything",
        { cause: reason },
      )
    : new GrpcServicesError(GrpcServicesErrorCode.Cancelled, "the call was cancelled", {
        cause: reason,
      });
}
