import { connect, constants } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { StreamExecuteRequest } from "@multipooler/proto/multipoolerservice";

/** A connection whose requests are sent piece by piece. */
export class SendingClient implements Disposable {
  readonly #session: ClientHttp2Session;

  constructor(address: string) {
    this.#session = connect(`http://${address}`);
    this.#session.on("error", () => {});
  }

  /** Begins a StreamExecute whose text has `bytes`. */
  request(bytes: number): SendingRequest {
    const stream = this.#session.request({
      ":method": "POST",
      ":path": "/multipoolerservice.MultipoolerService/StreamExecute",
      "content-type": "application/grpc",
      te: "trailers",
    });
    return new SendingRequest(stream, framed("x".repeat(bytes)));
  }

  /** Cuts the connection. */
  [Symbol.dispose](): void {
    this.#session.destroy();
  }
}

/** A request of which the test says how much is sent. */
export class SendingRequest {
  /** The gRPC status, by its number; "none" for a call that was reset. */
  readonly status: Promise<string>;
  readonly #stream: ClientHttp2Stream;
  readonly #message: Buffer;
  #sent = 0;

  constructor(stream: ClientHttp2Stream, message: Buffer) {
    this.#stream = stream;
    this.#message = message;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.status = promise;
    const onHeaders = (headers: Record<string, unknown>): void => {
      const status = headers["grpc-status"];
      if (typeof status === "string") {
        resolve(status);
      }
    };
    stream.on("response", onHeaders);
    stream.on("trailers", onHeaders);
    stream.on("error", () => {});
    stream.on("close", () => resolve("none"));
    stream.resume();
  }

  /** Sends the next bytes; without a number the rest, and that nothing follows. */
  send(bytes?: number): this {
    const end = bytes === undefined ? this.#message.byteLength : this.#sent + bytes;
    this.#stream.write(this.#message.subarray(this.#sent, end));
    this.#sent = end;
    if (bytes === undefined) {
      this.#stream.end();
    }
    return this;
  }

  /** Everything, but not that nothing follows. */
  sendOpenEnded(): this {
    return this.send(this.#message.byteLength - this.#sent);
  }

  /** A second message. */
  sendAgain(): this {
    this.#stream.write(this.#message);
    return this;
  }

  cancel(): void {
    this.#stream.close(constants.NGHTTP2_CANCEL);
  }
}

function framed(query: string): Buffer {
  const message = StreamExecuteRequest.encode(StreamExecuteRequest.fromPartial({ query })).finish();
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([prefix, message]);
}
