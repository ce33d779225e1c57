import { GrpcServicesError, GrpcServicesErrorCode } from "../../errors/error.ts";
import type { Receiver, ReceivingBytes } from "./receiving-bytes.ts";

/** The bytes of a call, of which it is said when they are wanted. */
export interface IncomingStream {
  /** Stops reading from the client, by HTTP/2's flow control of this call alone. */
  pause(): void;
  resume(): void;
}

export interface IncomingMessagesOptions {
  readonly stream: IncomingStream;
  /** Names the connection. */
  readonly origin: string;
  readonly receiving: ReceivingBytes;
  readonly maxMessageBytes: number;
  /** Whether the method takes one message, and not several. */
  readonly isSingle: boolean;
  /** Takes a whole message when it is wanted: one that is single when the client has sent everything. */
  readonly take: (message: IncomingMessage) => void;
  /** Called when a message is wanted and the client has sent its last. */
  readonly end: () => void;
  /** Takes what is wrong with what the client sends; it is not read any more then. */
  readonly fail: (error: GrpcServicesError) => void;
}

export interface IncomingMessage {
  readonly isCompressed: boolean;
  readonly bytes: Buffer;
}

/** Before each message: whether it is compressed, and its length as a big-endian uint32. */
const PREFIX_BYTES = 5;
const NOTHING = Buffer.alloc(0);

/** A message that arrives. */
interface Arriving extends IncomingMessage {
  filledBytes: number;
}

/**
 * Puts the messages of one call together as their bytes arrive, and has each admitted first.
 *
 * Nothing is read beyond the message that is wanted. Where a handler takes several, one is wanted
 * when the handler says so: a handler that is behind holds nobody up, and its client is not late. What
 * came along with the message before is there already and needs no admission.
 *
 * The bytes are copied: those of a stream are views of all that was read from the connection at once.
 */
export class IncomingMessages implements Receiver {
  readonly origin: string;
  readonly #options: IncomingMessagesOptions;
  /** Arrived, but not looked at. */
  #rest: Buffer = NOTHING;
  #arriving: Arriving | undefined;
  /** The single message, until the client has said that nothing follows. */
  #whole: IncomingMessage | undefined;
  #isWanted: boolean;
  #isWaiting = false;
  #hasEnded = false;
  #isOver = false;

  constructor(options: IncomingMessagesOptions) {
    this.origin = options.origin;
    this.#options = options;
    this.#isWanted = options.isSingle;
  }

  /** The handler takes the next message. To be called again when that was taken. */
  want(): void {
    this.#isWanted = true;
    this.#advance();
    if (this.#isWanted && !this.#isWaiting && !this.#isOver) {
      if (this.#hasEnded) {
        this.#endWanted();
      } else {
        this.#options.stream.resume();
      }
    }
  }

  proceed(): void {
    this.#isWaiting = false;
    this.#begin();
    this.#advance();
    if (this.#isWanted && !this.#isOver) {
      this.#options.stream.resume();
    }
  }

  expire(): void {
    this.#fail(GrpcServicesErrorCode.ReceiveTimeout, "the request took too long to arrive");
  }

  readonly onData = (chunk: Buffer): void => {
    if (this.#isOver) {
      return;
    }
    this.#rest = this.#rest.byteLength === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#advance();
  };

  /** The client has sent everything. */
  readonly onEnd = (): void => {
    if (this.#isOver) {
      return;
    }
    this.#hasEnded = true;
    const whole = this.#whole;
    if (whole !== undefined) {
      this.close();
      this.#options.take(whole);
    } else if (this.#isWanted) {
      this.#endWanted();
    }
  };

  /** The call is over: nothing is kept and nothing is taken any more. */
  close(): void {
    this.#isOver = true;
    this.#rest = NOTHING;
    this.#arriving = undefined;
    this.#whole = undefined;
    this.#options.receiving.release(this);
  }

  /** Takes what is there of the message that is wanted. */
  #advance(): void {
    while (this.#isWanted && !this.#isOver && !this.#isWaiting) {
      if (this.#arriving === undefined && !this.#admitNext()) {
        return;
      }
      if (!this.#fill()) {
        return;
      }
    }
    if (this.#options.isSingle && this.#rest.byteLength > 0 && !this.#isOver && !this.#isWaiting) {
      this.#fail(GrpcServicesErrorCode.Unimplemented, "the method takes one message only");
    }
  }

  /** False: the prefix of the next message is not there, or it cannot be read yet. */
  #admitNext(): boolean {
    const rest = this.#rest;
    if (rest.byteLength < PREFIX_BYTES) {
      return false;
    }
    const { isSingle, maxMessageBytes, receiving, stream } = this.#options;
    const length = rest.readUInt32BE(1);
    if (length > maxMessageBytes) {
      // The words of the other servers of gRPC.
      const text = `received message larger than max (${length} vs. ${maxMessageBytes})`;
      this.#fail(GrpcServicesErrorCode.RequestTooLarge, text);
      return false;
    }
    const isHere = rest.byteLength - PREFIX_BYTES >= length;
    // What a compressed one will have is not known before it is there.
    const bytes = rest[0] === 0 ? length : maxMessageBytes;
    const admission = isHere && !isSingle ? "admitted" : receiving.admit(this, bytes);
    switch (admission) {
      case "admitted":
        this.#begin();
        return true;
      case "waits":
        this.#isWaiting = true;
        stream.pause();
        return false;
      case "refused": {
        const text = "too many requests arrive at once; retry";
        this.#fail(GrpcServicesErrorCode.ReceivingTooMuch, text);
        return false;
      }
    }
  }

  #begin(): void {
    const bytes = Buffer.allocUnsafe(this.#rest.readUInt32BE(1));
    this.#arriving = { isCompressed: this.#rest[0] !== 0, bytes, filledBytes: 0 };
    this.#rest = this.#rest.subarray(PREFIX_BYTES);
  }

  /** Copies what has arrived. True: the message was complete. */
  #fill(): boolean {
    const message = this.#arriving;
    if (message === undefined) {
      return false;
    }
    const { bytes } = message;
    const count = Math.min(bytes.byteLength - message.filledBytes, this.#rest.byteLength);
    this.#rest.copy(bytes, message.filledBytes, 0, count);
    message.filledBytes += count;
    this.#rest = count === this.#rest.byteLength ? NOTHING : this.#rest.subarray(count);
    if (message.filledBytes < bytes.byteLength) {
      return false;
    }
    this.#arriving = undefined;
    this.#isWanted = false;
    if (this.#options.isSingle) {
      this.#whole = message;
      return true;
    }
    this.#options.stream.pause();
    this.#options.receiving.release(this);
    this.#options.take(message);
    return true;
  }

  #endWanted(): void {
    const isCutOff = this.#arriving !== undefined || this.#rest.byteLength > 0;
    if (isCutOff) {
      this.#fail(
        GrpcServicesErrorCode.MalformedRequest,
        "the request ends in the middle of a message",
      );
    } else if (this.#options.isSingle) {
      this.#fail(
        GrpcServicesErrorCode.Unimplemented,
        "the method takes one message, and none came",
      );
    } else {
      this.#isWanted = false;
      this.#options.end();
    }
  }

  #fail(code: GrpcServicesErrorCode, message: string): void {
    this.close();
    this.#options.fail(new GrpcServicesError(code, message));
  }
}
