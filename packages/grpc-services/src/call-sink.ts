import { GrpcServicesError, GrpcServicesErrorCode } from "./error.ts";
import type { MessageSink } from "./rpc.ts";

/** What writes the messages of a call of grpc-js. */
export interface WritableCall {
  /** Calls `onSent` once the message has left, or is dropped with its call. */
  write(message: Uint8Array, onSent: () => void): boolean;
}

/** How a {@link CallSink} is built. */
export interface CallSinkOptions {
  readonly call: WritableCall;
  /** Aborts when the call ends early. */
  readonly signal: AbortSignal;
  readonly maxMessageBytes: number;
}

/**
 * From how many unsent bytes on a client counts as behind. grpc-js itself would take sixteen
 * messages before it complains, 32 MiB of rows for each slow client.
 */
const HIGH_WATER_BYTES = 1_048_576;

/** Writes to a call and bounds what waits there for the client. */
export class CallSink implements MessageSink<Uint8Array> {
  readonly #call: WritableCall;
  readonly #signal: AbortSignal;
  readonly #maxMessageBytes: number;
  #unsentBytes = 0;
  #room: PromiseWithResolvers<void> | undefined;

  constructor({ call, signal, maxMessageBytes }: CallSinkOptions) {
    this.#call = call;
    this.#signal = signal;
    this.#maxMessageBytes = maxMessageBytes;
    signal.addEventListener("abort", () => this.#room?.resolve(), { once: true });
  }

  write(message: Uint8Array): Promise<void> | undefined {
    checkMessageSize(message, this.#maxMessageBytes);
    if (this.#signal.aborted) return undefined;
    this.#unsentBytes += message.byteLength;
    this.#call.write(message, () => this.#sent(message.byteLength));
    if (this.#unsentBytes < HIGH_WATER_BYTES) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  #sent(bytes: number): void {
    this.#unsentBytes -= bytes;
    if (this.#unsentBytes >= HIGH_WATER_BYTES) return;
    this.#room?.resolve();
    this.#room = undefined;
  }
}

/** @throws MESSAGE_TOO_LARGE */
export function checkMessageSize(message: Uint8Array, maxBytes: number): void {
  if (message.byteLength <= maxBytes) return;
  throw new GrpcServicesError(
    GrpcServicesErrorCode.MessageTooLarge,
    `an answer of ${message.byteLength} bytes is larger than the ${maxBytes} bytes ` +
      "that one message may have",
  );
}
