import { GrpcStatusError } from "@multipooler/grpc-services/client";
import type { PoolerClient, RequestOptions } from "@multipooler/grpc-services/client";
import { callFault } from "./call-fault.ts";
import { poolerClient } from "./pooler-connection.ts";
import type { ClientOptions } from "./client-options.ts";

/** The poolers of a switchover. */
export interface Participants {
  readonly from: Participant;
  readonly to: Participant;
  readonly followers: readonly Participant[];
}

/** A pooler is not what the plan takes it for: a call of somebody else's may have changed it. */
export class StepRefused extends Error {}

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

  /**
   * Calls the pooler. Rejects with an error that says of which pooler, and doing what: with
   * {@link StepRefused} where the state of the pooler is in the way.
   */
  async call<T>(
    what: string,
    run: (client: PoolerClient, request: RequestOptions) => Promise<T>,
  ): Promise<T> {
    try {
      return await run(this.#client, this.#request);
    } catch (cause) {
      const isKnown = cause instanceof GrpcStatusError;
      const why = isKnown ? callFault(cause, this.address) : String(cause);
      const message = `${what} (${this.address}): ${why}`;
      throw isKnown && cause.code === "FAILED_PRECONDITION"
        ? new StepRefused(message, { cause })
        : new Error(message, { cause });
    }
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
