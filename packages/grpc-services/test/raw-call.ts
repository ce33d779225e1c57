import { Client, credentials, Metadata } from "@grpc/grpc-js";
import type { ClientOptions, StatusObject } from "@grpc/grpc-js";
import { RPCError } from "@multipooler/proto/mtrpc";
import { Status } from "@multipooler/proto/rpc-status";

/** How a call ended, seen from plain grpc-js: nothing of our client takes part. */
export interface RawOutcome {
  readonly messages: readonly Buffer[];
  readonly status: StatusObject;
}

/** A connection of plain grpc-js. */
export class RawClient implements Disposable {
  readonly #client: Client;

  constructor(address: string, options: ClientOptions = {}) {
    this.#client = new Client(address, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.max_send_message_length": -1,
      "grpc.max_receive_message_length": -1,
      ...options,
    });
  }

  /** Any method with one request; what answers one message looks like a stream of one. */
  async call(path: string, request: Uint8Array): Promise<RawOutcome> {
    const call = this.#client.makeServerStreamRequest(
      path,
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes) => bytes,
      request,
      new Metadata(),
    );
    return await outcome(call);
  }

  /** Any method with a stream of requests, of which one is sent. */
  async callBidi(path: string, request: Uint8Array): Promise<RawOutcome> {
    const call = this.#client.makeBidiStreamRequest(
      path,
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes) => bytes,
      new Metadata(),
    );
    call.end(request);
    return await outcome(call);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

interface ReadableCall {
  on(event: "data", listener: (message: Buffer) => void): unknown;
  on(event: "error", listener: () => void): unknown;
  on(event: "status", listener: (status: StatusObject) => void): unknown;
}

async function outcome(call: ReadableCall): Promise<RawOutcome> {
  const messages: Buffer[] = [];
  const { promise, resolve } = Promise.withResolvers<StatusObject>();
  call.on("data", (message) => messages.push(message));
  call.on("error", () => {});
  call.on("status", resolve);
  return { messages, status: await promise };
}

/** The google.rpc.Status in the trailers, and the mtrpc.RPCError in its only detail. */
export function statusDetails(
  status: StatusObject,
): { status: Status; rpcError: RPCError } | undefined {
  const [trailer] = status.metadata.get("grpc-status-details-bin");
  if (!Buffer.isBuffer(trailer)) {
    return undefined;
  }
  const decoded = Status.decode(new Uint8Array(trailer));
  const [detail, ...more] = decoded.details;
  if (detail?.typeUrl !== "type.googleapis.com/mtrpc.RPCError" || more.length > 0) {
    throw new TypeError(
      `not one RPCError: ${decoded.details.map(({ typeUrl }) => typeUrl).join()}`,
    );
  }
  return { status: decoded, rpcError: RPCError.decode(detail.value) };
}
