import { connect, constants } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from "node:http2";
import { StreamExecuteRequest } from "@multipooler/proto/multipoolerservice";

/**
 * A client that asks for a passthrough stream and reads nothing of it that it is not told to: HTTP/2
 * lets the server send 64 KiB and no more.
 */
export class SilentClient implements Disposable {
  readonly #session: ClientHttp2Session;
  readonly #stream: ClientHttp2Stream;

  /** @param timeout what a gRPC client sends for its deadline, e.g. "200m" for 200 ms. */
  constructor(address: string, timeout?: string) {
    this.#session = connect(`http://${address}`);
    this.#stream = this.#session.request({
      ":method": "POST",
      ":path": "/multipoolerservice.MultipoolerService/StreamExecute",
      "content-type": "application/grpc",
      te: "trailers",
      ...(timeout === undefined ? {} : { "grpc-timeout": timeout }),
    });
    this.#stream.on("error", () => {});
    const request = StreamExecuteRequest.fromPartial({ options: { passthroughRow: true } });
    const message = StreamExecuteRequest.encode(request).finish();
    const header = Buffer.alloc(5);
    header.writeUInt32BE(message.byteLength, 1);
    this.#stream.end(Buffer.concat([header, message]));
  }

  /** Reads so much, or what is there of it. */
  read(bytes: number): void {
    void (this.#stream.read(bytes) ?? this.#stream.read());
  }

  /** Reads everything up to the end. Returns the status. */
  async trailers(): Promise<IncomingHttpHeaders> {
    const trailers = Promise.withResolvers<IncomingHttpHeaders>();
    this.#stream.once("trailers", trailers.resolve);
    this.#stream.resume();
    return await trailers.promise;
  }

  /** Resolves when the server has reset the stream, with the code. */
  async reset(): Promise<number | undefined> {
    const closed = Promise.withResolvers<void>();
    this.#stream.once("close", closed.resolve);
    await closed.promise;
    return this.#stream.rstCode;
  }

  cancel(): void {
    this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
  }
}
