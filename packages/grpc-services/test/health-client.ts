import { service } from "grpc-health-check";
import { ClientChannel } from "../src/client/client-channel.ts";
import type { ClientMethod } from "../src/client/client-method.ts";

/** A client made of grpc-health-check's own definition, for what `PoolerClient` does not do. */
export class HealthClient implements Disposable {
  readonly #channel: ClientChannel;

  constructor(address: string) {
    this.#channel = new ClientChannel(address, { "grpc.use_local_subchannel_pool": 1 });
  }

  /** The answer to a list of all services. */
  async list(): Promise<object> {
    return await this.#channel.unary(methodOf("List"), "", {});
  }

  /** The answers to a watch, e.g. "SERVING". */
  async *watch(name: string): AsyncGenerator<string, void, void> {
    for await (const message of this.#channel.serverStream(methodOf("Watch"), name, {})) {
      yield "status" in message ? String(message.status) : "";
    }
  }

  [Symbol.dispose](): void {
    this.#channel.close();
  }
}

function methodOf(name: string): ClientMethod<string, object> {
  const definition = service[name];
  if (definition === undefined) {
    throw new TypeError(`no method ${name}`);
  }
  return {
    path: definition.path,
    encode: (serviceName) => definition.requestSerialize({ service: serviceName }),
    decode: (bytes) => definition.responseDeserialize(bytes),
  };
}
