import { Client, credentials, Metadata } from "@grpc/grpc-js";
import type { ClientDuplexStream, StatusObject } from "@grpc/grpc-js";
import { RPCError } from "@multipooler/proto/mtrpc";
import { ReservedState } from "@multipooler/proto/query";
import { Status } from "@multipooler/proto/rpc-status";

/** What Multigres' gateway allows in both directions. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const SERVICE = "multipoolerservice.MultipoolerService";

/** A method as the generated code describes it. */
export interface WireMethod<Request, Response> {
  readonly name: string;
  readonly requestType: { encode(request: Request): { finish(): Uint8Array } };
  readonly responseType: { decode(bytes: Uint8Array): Response };
}

/** How a call ended. */
export interface CallEnd {
  /** The number of the gRPC status. */
  readonly code: number;
  readonly text: string;
  /** What the status carries beyond that, each where it does. */
  readonly rpcError: RPCError | undefined;
  readonly reservedState: ReservedState | undefined;
}

/** Everything that a call was answered, in its order. */
export interface Answer<Response> extends CallEnd {
  readonly messages: readonly Response[];
}

export interface CallWishes {
  /** The deadline, of which the server learns. */
  readonly timeoutMs?: number;
}

/** A client of the generated code and grpc-js alone: nothing of ours takes part in a call. */
export class WireClient implements Disposable {
  readonly #client: Client;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
      "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    });
  }

  /** Begins a call of any kind: on the wire they differ only in how many messages there are. */
  open<Request, Response>(
    method: WireMethod<Request, Response>,
    { timeoutMs }: CallWishes = {},
  ): WireCall<Request, Response> {
    return new WireCall(
      this.#client.makeBidiStreamRequest(
        `/${SERVICE}/${method.name}`,
        (request: Request) => Buffer.from(method.requestType.encode(request).finish()),
        (bytes) => method.responseType.decode(bytes),
        new Metadata(),
        timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs },
      ),
    );
  }

  /** Sends one request and collects the whole answer. */
  async ask<Request, Response>(
    method: WireMethod<Request, Response>,
    request: Request,
    wishes: CallWishes = {},
  ): Promise<Answer<Response>> {
    return await this.open(method, wishes).send(request).halfClose().answer();
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** A call under way. */
export class WireCall<Request, Response> {
  readonly ended: Promise<CallEnd>;
  readonly #call: ClientDuplexStream<Request, Response>;
  readonly #messages: AsyncIterator<Response>;

  constructor(call: ClientDuplexStream<Request, Response>) {
    this.#call = call;
    const { promise, resolve } = Promise.withResolvers<StatusObject>();
    call.on("error", () => undefined);
    call.once("status", resolve);
    this.ended = promise.then(callEnd);
    const messages: AsyncIterable<Response> = call;
    this.#messages = messages[Symbol.asyncIterator]();
  }

  send(request: Request): this {
    this.#call.write(request);
    return this;
  }

  halfClose(): this {
    this.#call.end();
    return this;
  }

  cancel(): void {
    this.#call.cancel();
  }

  /** The next message; `undefined` at the end of the call, however it ends. */
  async next(): Promise<Response | undefined> {
    try {
      const { value, done } = await this.#messages.next();
      return done === true ? undefined : value;
    } catch {
      return undefined;
    }
  }

  /** What is still to come. */
  async answer(): Promise<Answer<Response>> {
    const messages: Response[] = [];
    for (let message = await this.next(); message !== undefined; message = await this.next()) {
      messages.push(message);
    }
    return { messages, ...(await this.ended) };
  }
}

function callEnd({ code, details: text, metadata }: StatusObject): CallEnd {
  const [trailer] = metadata.get("grpc-status-details-bin");
  const details = Buffer.isBuffer(trailer) ? Status.decode(new Uint8Array(trailer)).details : [];
  const detail = (type: string): Uint8Array | undefined =>
    details.find(({ typeUrl }) => typeUrl === `type.googleapis.com/${type}`)?.value;
  const rpcError = detail("mtrpc.RPCError");
  const reservedState = detail("query.ReservedState");
  return {
    code,
    text,
    rpcError: rpcError && RPCError.decode(rpcError),
    reservedState: reservedState && ReservedState.decode(reservedState),
  };
}
