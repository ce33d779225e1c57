import { constants } from "node:http2";
import type { ServerHttp2Stream } from "node:http2";
import { Duplex } from "node:stream";
import { ServerInterceptingCall } from "@grpc/grpc-js";
import type { ServerInterceptingCallInterface, ServerInterceptor } from "@grpc/grpc-js";
import type { GrpcServicesError } from "../errors/error.ts";
import { errorStatus } from "../errors/error-status.ts";
import { grpcStatus } from "./grpc-js-adapter.ts";
import { IncomingRequest } from "./incoming-request.ts";
import type { ReceivingCall } from "./incoming-request.ts";
import type { ReceivingBytes } from "./receiving-bytes.ts";

export interface RequestLimitOptions {
  /** Counts for all calls of the server. */
  readonly receiving: ReceivingBytes;
  readonly maxMessageBytes: number;
}

/**
 * Has the requests of every call admitted by `receiving`, and drops the chunks in which they came.
 *
 * grpc-js reads each request as fast as it comes, whatever its handler does, and has no option for
 * a limit. An interceptor sees each call before its first byte, but no bytes; those are followed on
 * the HTTP/2 stream, which grpc-js keeps in a property of the call. A test notices when that is no
 * longer so.
 */
export function limitRequests(options: RequestLimitOptions): ServerInterceptor {
  return ({ requestStream }, call) => {
    const stream: unknown = Reflect.get(call, "stream");
    if (!isHttp2Stream(stream)) {
      return new ServerInterceptingCall(call);
    }
    const request = new IncomingRequest({
      ...options,
      call: new GrpcJsCall({ call, stream, requestStream }),
    });
    // They run behind those that grpc-js has put on the stream.
    stream.on("data", request.onData);
    stream.once("end", request.onEnd);
    stream.once("close", request.onClose);
    return new LimitedCall(call, stream, request);
  };
}

/** Asks for a message when its turn has come, and tells a client that has ended from one that is gone. */
class LimitedCall extends ServerInterceptingCall {
  readonly #request: IncomingRequest;

  constructor(
    call: ServerInterceptingCallInterface,
    stream: ServerHttp2Stream,
    request: IncomingRequest,
  ) {
    const onReceiveHalfClose = (next: () => void): void => {
      // A stream that was reset ends as well, a moment before the call is cancelled.
      if (!stream.aborted) {
        next();
      }
    };
    super(call, { start: (next) => next({ onReceiveHalfClose }) });
    this.#request = request;
  }

  override startRead(): void {
    if (this.#request.onRead()) {
      super.startRead();
    }
  }
}

interface GrpcJsCallOptions {
  readonly call: ServerInterceptingCallInterface;
  readonly stream: ServerHttp2Stream;
  readonly requestStream: boolean;
}

class GrpcJsCall implements ReceivingCall {
  readonly requestStream: boolean;
  readonly #call: ServerInterceptingCallInterface;
  readonly #stream: ServerHttp2Stream;

  constructor({ call, stream, requestStream }: GrpcJsCallOptions) {
    this.requestStream = requestStream;
    this.#call = call;
    this.#stream = stream;
  }

  getPeer(): string {
    return this.#call.getPeer();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  read(): void {
    this.#call.startRead();
  }

  /** Its decoder keeps them until the next message begins, which most calls do not have. */
  forget(): void {
    const decoder: unknown = Reflect.get(this.#call, "decoder");
    if (typeof decoder === "object" && decoder !== null) {
      Object.assign(decoder, { readPartialMessage: [], readCompressFlag: NOTHING });
    }
  }

  fail(error: GrpcServicesError): void {
    this.#call.sendStatus(grpcStatus(errorStatus(error)));
    // Behind the status: the client need not send the rest.
    this.#stream.close(constants.NGHTTP2_NO_ERROR);
  }
}

const NOTHING = Buffer.alloc(1);

function isHttp2Stream(stream: unknown): stream is ServerHttp2Stream {
  return stream instanceof Duplex && "session" in stream && "rstCode" in stream;
}
