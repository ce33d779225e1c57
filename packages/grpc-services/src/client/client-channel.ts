import { Client, credentials, Metadata } from "@grpc/grpc-js";
import type { CallOptions, ChannelCredentials, ClientOptions } from "@grpc/grpc-js";
import { onAbort, systemClock } from "@multipooler/timing";
import { RequestSender } from "./request-sender.ts";
import type { ClientMethod } from "./client-method.ts";
import { GrpcStatusError, grpcStatusError } from "../errors/grpc-status-error.ts";

/** What goes with a request. */
export interface RequestOptions {
  /** Cancels the call. */
  readonly signal?: AbortSignal | undefined;
  /** The deadline of the call, of which the server learns; none by default. */
  readonly timeoutMs?: number | undefined;
}

/** How a channel is encrypted. PEM texts. */
export interface ClientTls {
  /** The authorities that are trusted. Default: those that Node knows. */
  readonly ca?: string | undefined;
  /** What is shown to a server that asks, with its key. */
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
}

/** Of grpc-js; `tls`: `undefined` for a channel that is not encrypted; `token` goes with each call. */
type ChannelOptions = ClientOptions & {
  readonly tls?: ClientTls | undefined;
  readonly token?: string | undefined;
};

/** Makes calls over one connection of grpc-js and reports failures as {@link GrpcStatusError}. */
export class ClientChannel {
  readonly #client: Client;
  readonly #token: string | undefined;

  constructor(address: string, { tls, token, ...options }: ChannelOptions) {
    this.#token = token;
    this.#client = new Client(address, channelCredentials(tls), options);
  }

  async unary<Request, Response>(
    method: ClientMethod<Request, Response>,
    request: Request,
    options: RequestOptions,
  ): Promise<Response> {
    refuseAborted(options);
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    const call = this.#client.makeUnaryRequest(
      method.path,
      (message: Request) => method.encode(message),
      (bytes) => method.decode(bytes),
      request,
      this.#metadata(),
      callOptions(options),
      (error, response) => {
        if (error !== null) {
          reject(grpcStatusError(error));
        } else if (response === undefined) {
          reject(new GrpcStatusError("INTERNAL", "no answer"));
        } else {
          resolve(response);
        }
      },
    );
    const stopListening = onAbort(options.signal, () => call.cancel());
    try {
      return await promise;
    } finally {
      stopListening();
    }
  }

  /**
   * Sends the request when the first message is asked for. grpc-js reads sixteen messages ahead of
   * the consumer and stops there.
   */
  async *serverStream<Request, Response>(
    method: ClientMethod<Request, Response>,
    request: Request,
    options: RequestOptions,
  ): AsyncGenerator<Response, void, void> {
    refuseAborted(options);
    const call = this.#client.makeServerStreamRequest(
      method.path,
      (message: Request) => method.encode(message),
      (bytes) => method.decode(bytes),
      request,
      this.#metadata(),
      callOptions(options),
    );
    // A status may still come when nobody reads any more.
    call.on("error", () => {});
    const stopListening = onAbort(options.signal, () => call.cancel());
    try {
      const messages: AsyncIterable<Response> = call;
      yield* messages;
    } catch (error) {
      throw grpcStatusError(error);
    } finally {
      stopListening();
      call.cancel();
    }
  }

  /**
   * Sends `requests` one after the other, as fast as the server takes them, from the moment that the
   * first answer is asked for. Their end is the end of what the client says; the answers may go on.
   */
  async *bidiStream<Request, Response>(
    method: ClientMethod<Request, Response>,
    requests: AsyncIterable<Request>,
    options: RequestOptions,
  ): AsyncGenerator<Response, void, void> {
    refuseAborted(options);
    const call = this.#client.makeBidiStreamRequest(
      method.path,
      (message: Request) => method.encode(message),
      (bytes) => method.decode(bytes),
      this.#metadata(),
      callOptions(options),
    );
    call.on("error", () => {});
    const stopListening = onAbort(options.signal, () => call.cancel());
    const sending = new RequestSender(call);
    void sending.send(requests);
    try {
      const messages: AsyncIterable<Response> = call;
      yield* messages;
    } catch (error) {
      throw grpcStatusError(sending.failure?.cause ?? error);
    } finally {
      stopListening();
      sending.stop();
      call.cancel();
    }
  }

  close(): void {
    this.#client.close();
  }

  #metadata(): Metadata {
    const metadata = new Metadata();
    if (this.#token !== undefined) {
      metadata.set("authorization", `Bearer ${this.#token}`);
    }
    return metadata;
  }
}

function channelCredentials(tls: ClientTls | undefined): ChannelCredentials {
  if (tls === undefined) {
    return credentials.createInsecure();
  }
  const bytes = (pem: string | undefined): Buffer | null =>
    pem === undefined ? null : Buffer.from(pem);
  return credentials.createSsl(bytes(tls.ca), bytes(tls.key), bytes(tls.certificate));
}

function refuseAborted({ signal }: RequestOptions): void {
  if (signal?.aborted !== true) {
    return;
  }
  throw new GrpcStatusError("CANCELLED", "the call was cancelled before it began", {
    cause: signal.reason,
  });
}

function callOptions({ timeoutMs }: RequestOptions): CallOptions {
  return timeoutMs === undefined ? {} : { deadline: systemClock.now() + timeoutMs };
}
