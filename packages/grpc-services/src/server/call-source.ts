import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import type { MessageSource } from "./rpc.ts";

/** What reads the messages of a call of grpc-js. */
export interface ReadableCall<Message> {
  /** Called when the stream has room; leads to one message, or to the end. */
  _read(size: number): void;
  on(event: "data", listener: (message: Message) => void): unknown;
  once(event: "end", listener: () => void): unknown;
}

export interface CallSourceOptions<Message> {
  readonly call: ReadableCall<Message>;
  /** Aborts when the call ends early. */
  readonly signal: AbortSignal;
}

/**
 * Reads from a call what its handler asks for, and nothing ahead: grpc-js itself would put sixteen
 * messages aside, of whatever size.
 */
export class CallSource<Message> implements MessageSource<Message> {
  readonly #signal: AbortSignal;
  readonly #read: () => void;
  /** The stream has asked for a message before the handler did. */
  #isReadDue = false;
  #hasEnded = false;
  #wanted: PromiseWithResolvers<Message | undefined> | undefined;

  constructor({ call, signal }: CallSourceOptions<Message>) {
    this.#signal = signal;
    const read = call._read.bind(call);
    this.#read = () => read(0);
    call._read = () => this.#onRoom();
    call.on("data", (message) => this.#resolve(message));
    call.once("end", () => {
      this.#hasEnded = true;
      this.#resolve(undefined);
    });
    signal.addEventListener("abort", () => this.#wanted?.reject(endedError(signal)), {
      once: true,
    });
  }

  async next(): Promise<Message | undefined> {
    if (this.#signal.aborted) {
      throw endedError(this.#signal);
    }
    if (this.#hasEnded) {
      return undefined;
    }
    const wanted = Promise.withResolvers<Message | undefined>();
    this.#wanted = wanted;
    if (this.#isReadDue) {
      this.#isReadDue = false;
      this.#read();
    }
    return await wanted.promise;
  }

  #onRoom(): void {
    if (this.#wanted === undefined) {
      this.#isReadDue = true;
    } else {
      this.#read();
    }
  }

  #resolve(message: Message | undefined): void {
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
