import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import type { Admission, Receiver, ReceivingBytes } from "./receiving-bytes.ts";

/** The call of grpc-js that a request arrives for. */
export interface ReceivingCall {
  /** "address:port" of the client. */
  getPeer(): string;
  /** Whether the method takes several messages. */
  readonly requestStream: boolean;
  /** Stops reading from the client, by HTTP/2's flow control of this call alone. */
  pause(): void;
  resume(): void;
  /** Has the library read up to the end of the next message. */
  read(): void;
  /** Drops what the library keeps of the bytes that it has put together, or will not. */
  forget(): void;
  /** Ends the call with the status for `error`. Bytes that still come are discarded. */
  fail(error: GrpcServicesError): void;
}

export interface IncomingRequestOptions {
  readonly call: ReceivingCall;
  readonly receiving: ReceivingBytes;
  /** grpc-js itself refuses messages that are larger. */
  readonly maxMessageBytes: number;
}

/** Before each message: whether it is compressed, and its length as a big-endian uint32. */
const PREFIX_BYTES = 5;

/**
 * Follows the messages of one call as their bytes arrive, and has them admitted one by one.
 *
 * The first bytes of a message may come along with the end of the one before. Where a handler takes
 * several, it is admitted when the handler wants it: a handler that is behind holds nobody up, and
 * its client is not late.
 */
export class IncomingRequest implements Receiver {
  readonly #call: ReceivingCall;
  readonly #receiving: ReceivingBytes;
  readonly #maxMessageBytes: number;
  #origin: string | undefined;
  #prefixBytes = 0;
  #isCompressed = false;
  #length = 0;
  /** What is missing of the message. */
  #missingBytes = 0;
  #messages = 0;
  /** How many the handler has wanted. */
  #reads = 0;
  /** To be admitted of the message that has begun, once the handler wants it. */
  #deferredBytes: number | undefined;
  #isReadHeld = false;
  #isOver = false;

  constructor({ call, receiving, maxMessageBytes }: IncomingRequestOptions) {
    this.#call = call;
    this.#receiving = receiving;
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** Found once: a call that is over has no connection that could be asked. */
  get origin(): string {
    this.#origin ??= this.#call.getPeer();
    return this.#origin;
  }

  proceed(): void {
    if (this.#isReadHeld) {
      this.#isReadHeld = false;
      this.#call.read();
    } else {
      this.#call.resume();
    }
  }

  expire(): void {
    this.#fail(GrpcServicesErrorCode.ReceiveTimeout, "the request took too long to arrive");
  }

  /** The handler wants a message. False: it cannot be read yet; `read` is called when it can. */
  onRead(): boolean {
    this.#reads += 1;
    const bytes = this.#deferredBytes;
    if (bytes === undefined || this.#reads < this.#messages) {
      return true;
    }
    this.#deferredBytes = undefined;
    const admission = this.#admit(bytes);
    this.#isReadHeld = admission === "waits";
    return admission === "admitted";
  }

  /** Takes bytes after grpc-js took them. */
  readonly onData = (chunk: Uint8Array): void => {
    let at = 0;
    while (at < chunk.byteLength && !this.#isOver) {
      if (this.#missingBytes > 0) {
        const bytes = Math.min(this.#missingBytes, chunk.byteLength - at);
        at += bytes;
        this.#missingBytes -= bytes;
        this.#endIfWhole();
      } else {
        this.#takePrefix(chunk[at] ?? 0);
        at += 1;
      }
    }
    if (!this.#isOver && this.#missingBytes === 0 && this.#prefixBytes === 0) {
      this.#call.forget();
    }
  };

  /** The client has sent everything, and grpc-js has called the handler. */
  readonly onEnd = (): void => {
    this.#receiving.release(this);
  };

  /** The call is over. */
  readonly onClose = (): void => {
    this.#isOver = true;
    this.#receiving.release(this);
  };

  #takePrefix(byte: number): void {
    if (this.#prefixBytes === 0) {
      this.#isCompressed = byte !== 0;
      this.#length = 0;
    } else {
      this.#length = this.#length * 256 + byte;
    }
    this.#prefixBytes += 1;
    if (this.#prefixBytes === PREFIX_BYTES) {
      this.#prefixBytes = 0;
      this.#begin(this.#length);
    }
  }

  #begin(length: number): void {
    this.#messages += 1;
    if (length > this.#maxMessageBytes) {
      this.onClose();
      return;
    }
    if (this.#messages > 1 && !this.#call.requestStream) {
      this.#fail(GrpcServicesErrorCode.Unimplemented, "the method takes one message only");
      return;
    }
    // What a compressed one will have is not known before it is there.
    const bytes = this.#isCompressed ? this.#maxMessageBytes : length;
    this.#missingBytes = length;
    if (this.#call.requestStream && this.#messages > this.#reads) {
      this.#deferredBytes = bytes;
    } else if (this.#admit(bytes) === "waits") {
      this.#call.pause();
    }
    this.#endIfWhole();
  }

  #admit(bytes: number): Admission {
    const admission = this.#receiving.admit(this, bytes);
    if (admission === "refused") {
      this.#fail(GrpcServicesErrorCode.ReceivingTooMuch, "too many requests arrive at once; retry");
    }
    return admission;
  }

  #endIfWhole(): void {
    if (this.#missingBytes > 0) {
      return;
    }
    this.#deferredBytes = undefined;
    if (this.#call.requestStream) {
      this.#receiving.release(this);
    }
  }

  #fail(code: GrpcServicesErrorCode, message: string): void {
    this.onClose();
    this.#call.fail(new GrpcServicesError(code, message));
    this.#call.forget();
  }
}
