import {
  HealthDefinition,
  HealthListResponse,
  healthCheckResponse_ServingStatusToJSON as statusName,
} from "@multipooler/proto/health-v1";
import { ClientChannel } from "../src/client/client-channel.ts";
import { clientMethod } from "../src/client/client-method.ts";

const LIST = clientMethod(HealthDefinition, HealthDefinition.methods.list);
const WATCH = clientMethod(HealthDefinition, HealthDefinition.methods.watch);

/** A client for what `PoolerClient` does not do. */
export class HealthClient implements Disposable {
  readonly #channel: ClientChannel;

  constructor(address: string) {
    this.#channel = new ClientChannel(address, { "grpc.use_local_subchannel_pool": 1 });
  }

  /** The answer to a list of all services, in JSON's form. */
  async list(): Promise<unknown> {
    return HealthListResponse.toJSON(await this.#channel.unary(LIST, {}, {}));
  }

  /** The answers to a watch, e.g. "SERVING". */
  async *watch(service: string): AsyncGenerator<string, void, void> {
    for await (const { status } of this.#channel.serverStream(WATCH, { service }, {})) {
      yield statusName(status);
    }
  }

  [Symbol.dispose](): void {
    this.#channel.close();
  }
}
