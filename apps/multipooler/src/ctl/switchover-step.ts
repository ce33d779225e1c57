import { GrpcStatusError } from "@multipooler/grpc-services/client";
import type { PoolerClient, RequestOptions } from "@multipooler/grpc-services/client";
import { callFault } from "./call-fault.ts";
import { poolerClient } from "./pooler-connection.ts";
import type { ClientOptions } from "./client-options.ts";

/** A pooler that takes part in a switchover. */
export class Participant implements Disposable {
  readonly address: string;
  readonly #client: PoolerClient;
  readonly #request: RequestOptions;

  /** @throws ConfigError for a file of TLS that cannot be read */
  constructor(address: string, options: ClientOptions, request: RequestOptions) {
    this.address = address;
    this.#client = poolerClient({ ...options, address });
    this.#request = request;
  }

  /** Calls the pooler. Rejects with an error that says of which pooler, and doing what. */
  async call<T>(
    what: string,
    run: (client: PoolerClient, request: RequestOptions) => Promise<T>,
  ): Promise<T> {
    try {
      return await run(this.#client, this.#request);
    } catch (cause) {
      const why = cause instanceof GrpcStatusError ? callFault(cause, this.address) : String(cause);
      throw new Error(`${what} (${this.address}): ${why}`, { cause });
    }
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
