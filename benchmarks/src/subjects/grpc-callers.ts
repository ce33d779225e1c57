import { Client, Metadata, credentials } from "@grpc/grpc-js";
import { gatewayRequests, reservedIdIn } from "./gateway-request.ts";
import type { GatewayRequest, GatewayRequests } from "./gateway-request.ts";
import { runLoad } from "./load.ts";
import { Works } from "./work.ts";
import type { PostgresPlace, Subject } from "./subject.ts";

/** What a gateway allows a statement. */
const TIMEOUT_MS = 30_000;
/** HTTP/2's own 64 KiB would make rows wait for round trips; Go's client widens it by itself. */
const WINDOW_BYTES = 2_097_152;

const asIs = (bytes: Buffer): Buffer => bytes;

/** Callers as a gateway is one: one connection, and messages that stay bytes where they can. */
export function openGrpcCallers(
  address: string,
  { user }: PostgresPlace,
  callers: number,
): Subject {
  const client = new GatewayClient(address);
  const works = new Works((work) => gatewayRequests(user, work));
  const call = (requests: GatewayRequests): Promise<void> => client.do(requests, ignore);
  const all = Array.from({ length: callers }, () => call);
  return {
    run: (load) => {
      // Of the round before. So that nothing has to be collected in this one; see `WorkerProcess`.
      globalThis.gc?.();
      return runLoad(load, works, all);
    },
    close: () => {
      client.close();
      return Promise.resolve();
    },
  };
}

function ignore(): void {
  // Nobody wants to know.
}

/** Takes one message of the answer to a request. */
type AnswerTaker = (answer: Buffer, request: GatewayRequest) => void;

/** Calls a server; each method as one that answers a stream, which on the wire all are. */
export class GatewayClient {
  readonly #client: Client;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), {
      "grpc.max_receive_message_length": -1,
      "grpc-node.flow_control_window": WINDOW_BYTES,
    });
  }

  /** Makes the calls for a piece of work, and shows what each is answered. */
  async do(requests: GatewayRequests, take: AnswerTaker): Promise<void> {
    if (requests.type === "single") {
      await this.#call(requests.request, take);
      return;
    }
    let reserved = 0n;
    const keep: AnswerTaker = (answer, request) => {
      take(answer, request);
      reserved = reservedIdIn(answer) ?? reserved;
    };
    await this.#call(requests.first, keep);
    for (const requestOf of requests.others) {
      await this.#call(requestOf(reserved), keep);
    }
    await this.#call(requests.conclusion(reserved), take);
  }

  close(): void {
    this.#client.close();
  }

  #call(request: GatewayRequest, take: AnswerTaker): Promise<void> {
    const { path, bytes } = request;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const deadline = Date.now() + TIMEOUT_MS;
    const stream = this.#client.makeServerStreamRequest(path, asIs, asIs, bytes, new Metadata(), {
      deadline,
    });
    stream.on("data", (answer: Buffer) => take(answer, request));
    stream.on("end", resolve);
    stream.on("error", reject);
    return promise;
  }
}
