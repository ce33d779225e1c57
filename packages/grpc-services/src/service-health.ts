import type { PoolerManager } from "./pooler-manager.ts";

/** What a health check answers for a service that exists. */
export type HealthStatus = "SERVING" | "NOT_SERVING";

/** How a {@link ServiceHealth} is built. */
export interface ServiceHealthOptions {
  readonly manager: Pick<PoolerManager, "status" | "watchStatus">;
  /** The services that need a pooler which is ready. */
  readonly queryServices: readonly string[];
  /** The services that answer as long as the process does. */
  readonly managementServices: readonly string[];
  /** Aborts when the server begins to close; nothing is serving from then on. */
  readonly closing: AbortSignal;
}

/**
 * The health of the services, and under the empty name that of the pooler as a whole: it follows
 * the manager's readiness, except for management, which is there to tell why a pooler is not ready.
 */
export class ServiceHealth {
  readonly #options: ServiceHealthOptions;

  constructor(options: ServiceHealthOptions) {
    this.#options = options;
  }

  /** `undefined` for a service that is not here. */
  status(service: string): HealthStatus | undefined {
    const { manager, queryServices, managementServices, closing } = this.#options;
    const isManagement = managementServices.includes(service);
    if (!isManagement && service !== "" && !queryServices.includes(service)) return undefined;
    const isServing = !closing.aborted && (isManagement || manager.status().ready);
    return isServing ? "SERVING" : "NOT_SERVING";
  }

  /** Every name that {@link status} knows. */
  services(): readonly string[] {
    return ["", ...this.#options.queryServices, ...this.#options.managementServices];
  }

  /** Calls `listener` whenever a status may have changed, until the returned function is called. */
  watch(listener: () => void): () => void {
    const { manager, closing } = this.#options;
    const unwatch = manager.watchStatus(listener);
    closing.addEventListener("abort", listener, { once: true });
    return () => {
      unwatch();
      closing.removeEventListener("abort", listener);
    };
  }

  /** Whether the server is closing. */
  get isClosing(): boolean {
    return this.#options.closing.aborted;
  }
}
