import { GrpcServicesError, GrpcServicesErrorCode } from "../../errors/error.ts";
import type { MessageBytes, MessageSink } from "../rpc.ts";
import type { UnsentBytes } from "./unsent-bytes.ts";

/** What writes the messages of a call. */
export interface WritableCall {
  /** Calls `onSent` once the message has left; not always when the call ends before that. */
  write(message: MessageBytes, onSent: () => void): void;
}

export interface CallSinkOptions {
  readonly call: WritableCall;
  readonly maxMessageBytes: number;
  /** From how many unsent bytes on the client counts as behind, at most. Default: 1 MiB. */
  readonly maxUnsentBytes?: number | undefined;
  /** Counts for all calls of the server. */
  readonly unsent: UnsentBytes;
  /** The client is behind from now on. */
  readonly onBehind: () => void;
  /** It is not any more. */
  readonly onCaughtUp: () => void;
}

/** From how many unsent bytes on a client counts as behind. */
const HIGH_WATER_BYTES = 1_048_576;
/** The same while the calls of the server together have too much unsent. */
const SCARCE_HIGH_WATER_BYTES = 65_536;
/** What a message takes in memory besides its bytes, roughly: a COPY has one for each row. */
const MESSAGE_OVERHEAD_BYTES = 512;

/** A client that is behind: who waits for it, and how to hear no more of the other calls. */
interface Waiting extends PromiseWithResolvers<void> {
  readonly stopListening: () => void;
}

/** Writes to a call and bounds what waits there for the client. */
export class CallSink implements MessageSink<MessageBytes> {
  readonly #call: WritableCall;
  readonly #maxMessageBytes: number;
  readonly #maxUnsentBytes: number;
  readonly #unsent: UnsentBytes;
  readonly #onBehind: () => void;
  readonly #onCaughtUp: () => void;
  #unsentBytes = 0;
  #isStopped = false;
  #waiting: Waiting | undefined;

  constructor(options: CallSinkOptions) {
    this.#call = options.call;
    this.#maxMessageBytes = options.maxMessageBytes;
    this.#maxUnsentBytes = options.maxUnsentBytes ?? HIGH_WATER_BYTES;
    this.#unsent = options.unsent;
    this.#onBehind = options.onBehind;
    this.#onCaughtUp = options.onCaughtUp;
  }

  /** Whether more waits than what a client gets before it reads anything. */
  get hasMuchUnsent(): boolean {
    return this.#unsentBytes >= SCARCE_HIGH_WATER_BYTES;
  }

  write(message: MessageBytes): Promise<void> | undefined {
    const length = messageLength(message);
    checkMessageSize(length, this.#maxMessageBytes);
    if (this.#isStopped) {
      return undefined;
    }
    const bytes = length + MESSAGE_OVERHEAD_BYTES;
    this.#unsentBytes += bytes;
    this.#unsent.add(bytes);
    // Once the call has ended, nothing is left to be counted as sent.
    this.#call.write(message, () => this.#sent(Math.min(bytes, this.#unsentBytes)));
    if (!this.#isBehind) {
      return undefined;
    }
    if (this.#waiting === undefined) {
      this.#waiting = {
        ...Promise.withResolvers<void>(),
        stopListening: this.#unsent.onRoom(() => this.#resumeIfRoom()),
      };
      this.#onBehind();
    }
    return this.#waiting.promise;
  }

  /** The call ends early: nobody waits any more, and what is written is dropped. */
  stop(): void {
    this.#isStopped = true;
    this.#resume();
  }

  /** The call is over: nothing is sent any more. */
  close(): void {
    this.stop();
    this.#sent(this.#unsentBytes);
  }

  get #isBehind(): boolean {
    const limit = this.#unsent.isAboveLimit ? SCARCE_HIGH_WATER_BYTES : HIGH_WATER_BYTES;
    return this.#unsentBytes >= Math.min(limit, this.#maxUnsentBytes);
  }

  #sent(bytes: number): void {
    this.#unsentBytes -= bytes;
    this.#unsent.remove(bytes);
    this.#resumeIfRoom();
  }

  #resumeIfRoom(): void {
    if (!this.#isBehind) {
      this.#resume();
    }
  }

  #resume(): void {
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      this.#waiting = undefined;
      waiting.stopListening();
      this.#onCaughtUp();
      waiting.resolve();
    }
  }
}

/** The number of bytes of a message. */
export function messageLength(message: MessageBytes): number {
  return message instanceof Uint8Array
    ? message.byteLength
    : message.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** @throws MESSAGE_TOO_LARGE */
export function checkMessageSize(bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) {
    return;
  }
  throw new GrpcServicesError(
    GrpcServicesErrorCode.MessageTooLarge,
    `an answer of ${bytes} bytes is larger than the ${maxBytes} bytes ` +
      "that one message may have",
  );
}
