import { constants } from "node:http2";
import type { OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { returnMemory } from "@multipooler/query-service";
import { DETAILS_TRAILER } from "../../errors/rpc-status.ts";
import type { RpcStatus } from "../../errors/rpc-status.ts";
import type { MessageBytes } from "../rpc.ts";
import { messageLength } from "./call-sink.ts";
import { ACCEPTED_ENCODINGS } from "./compressed-message.ts";
import { PieceWriter } from "./piece-writer.ts";

const PREFIX_BYTES = 5;
/** Messages of up to this size are copied behind their prefix, which costs less than a second write. */
const JOINED_BYTES = 16_384;
const HEADERS: OutgoingHttpHeaders = {
  ":status": 200,
  "content-type": "application/grpc+proto",
  "grpc-accept-encoding": ACCEPTED_ENCODINGS,
};
const OK_TRAILERS: OutgoingHttpHeaders = { "grpc-status": "0" };

/** The status of a call as trailers; `undefined`: it went well. */
type Outcome = RpcStatus | undefined;

/**
 * Writes the answer of one call to its stream of HTTP/2. Nothing is written after the end, or when
 * the client is gone.
 */
export class CallResponse {
  readonly #stream: ServerHttp2Stream;
  readonly #writer: PieceWriter;
  #isEnded = false;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
    this.#writer = new PieceWriter(stream);
  }

  /** What has left for the client. */
  get sentBytes(): number {
    return this.#writer.sentBytes;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Calls `onSent` once the message has left; not always when the call ends before that. */
  write(message: MessageBytes, onSent: () => void): void {
    const stream = this.#stream;
    if (this.#isEnded || stream.destroyed) {
      return;
    }
    if (!stream.headersSent) {
      stream.respond(HEADERS, { waitForTrailers: true });
    }
    const length = messageLength(message);
    const isOwned = !(message instanceof Uint8Array);
    const parts = isOwned ? message : [message];
    if (length <= JOINED_BYTES) {
      this.#writer.write([joined(parts, length)], { isOwned: false, onSent });
      if (isOwned) {
        parts.forEach(returnMemory);
      }
      return;
    }
    const prefix = Buffer.allocUnsafe(PREFIX_BYTES);
    writePrefix(prefix, length);
    this.#writer.write([prefix, ...parts], { isOwned, onSent });
  }

  /** Ends the call, behind what was written. Does nothing for one that has ended. */
  end(outcome: Outcome): void {
    const stream = this.#stream;
    if (this.#isEnded || stream.destroyed) {
      return;
    }
    this.#isEnded = true;
    const trailers = outcome === undefined ? OK_TRAILERS : trailersOf(outcome);
    if (!stream.headersSent) {
      stream.respond({ ...HEADERS, ...trailers }, { endStream: true });
      if (!stream.readableEnded) {
        // A client that has more to say need not say it.
        stream.close(constants.NGHTTP2_NO_ERROR);
      }
    } else {
      stream.once("wantTrailers", () => stream.sendTrailers(trailers));
      this.#writer.afterAll(() => stream.end());
    }
    // What still comes is read and dropped: the stream is closed when the client has said everything.
    stream.resume();
  }

  /** Drops what the client did not take, the status included. */
  reset(): void {
    this.#isEnded = true;
    this.#stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }
}

/** The message behind its prefix. */
function joined(parts: readonly Uint8Array[], length: number): Buffer {
  const framed = Buffer.allocUnsafe(PREFIX_BYTES + length);
  writePrefix(framed, length);
  let at = PREFIX_BYTES;
  for (const part of parts) {
    framed.set(part, at);
    at += part.byteLength;
  }
  return framed;
}

function writePrefix(target: Buffer, length: number): void {
  target[0] = 0;
  target.writeUInt32BE(length, 1);
}

function trailersOf({ code, message, details }: RpcStatus): OutgoingHttpHeaders {
  const trailers = {
    "grpc-status": String(code),
    "grpc-message": encodeURI(message.toWellFormed()),
  };
  return details === undefined
    ? trailers
    : { ...trailers, [DETAILS_TRAILER]: Buffer.from(details).toString("base64") };
}
