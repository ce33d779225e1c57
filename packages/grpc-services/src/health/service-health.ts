import { HealthCheckResponse_ServingStatus as ServingStatus } from "@multipooler/proto/health-v1";
import type { PoolerManager } from "../server/pooler-manager.ts";

/** The health of a service that exists. */
export type HealthStatus = ServingStatus.SERVING | ServingStatus.NOT_SERVING;

/** Whose state decides the health, and of which services. */
export interface ServiceHealthOptions {
  readonly manager: Pick<PoolerManager, "status" | "watchStatus">;
  /** The services by name, and whether each serves only while the pooler is ready. */
  readonly needsReadyPooler: ReadonlyMap<string, boolean>;
  /** Aborts when the server begins to close; nothing is serving from then on. */
  readonly closing: AbortSignal;
}

/** The health of the services, and under the empty name that of the pooler as a whole. */
export class ServiceHealth {
  readonly #manager: ServiceHealthOptions["manager"];
  readonly #needsReadyPooler: ReadonlyMap<string, boolean>;
  readonly #closing: AbortSignal;

  constructor({ manager, needsReadyPooler, closing }: ServiceHealthOptions) {
    this.#manager = manager;
    this.#needsReadyPooler = new Map([["", true], ...needsReadyPooler]);
    this.#closing = closing;
  }

  /** `undefined` for a service that is not here. */
  status(service: string): HealthStatus | undefined {
    const needsReadyPooler = this.#needsReadyPooler.get(service);
    if (needsReadyPooler === undefined) {
      return undefined;
    }
    if (this.#closing.aborted) {
      return ServingStatus.NOT_SERVING;
    }
    return !needsReadyPooler || this.#manager.status().ready
      ? ServingStatus.SERVING
      : ServingStatus.NOT_SERVING;
  }

  /** Every name that {@link status} knows. */
  services(): readonly string[] {
    return [...this.#needsReadyPooler.keys()];
  }

  /** Calls `listener` whenever a status may have changed, until the returned function is called. */
  watch(listener: () => void): () => void {
    const unwatch = this.#manager.watchStatus(listener);
    this.#closing.addEventListener("abort", listener, { once: true });
    return () => {
      unwatch();
      this.#closing.removeEventListener("abort", listener);
    };
  }

  /** Whether the server is closing. */
  get isClosing(): boolean {
    return this.#closing.aborted;
  }
}
