import type { DatabaseHandle, PoolerController, ServingTarget } from "@multipooler/controller-api";
import type { CallOptions } from "@multipooler/query-service";
import type { Clock } from "@multipooler/timing";
import type { ManagedDatabase } from "../database/managed-database.ts";
import type { Logger } from "../logger.ts";
import type { Registration } from "../record/registration.ts";
import { QueryPathMonitor } from "./query-path-monitor.ts";
import type { QueryPathHealth } from "./query-path-monitor.ts";
import type { ServingAnnouncement, ServingSteps } from "./serving-steps.ts";
import { admits } from "./serving-target.ts";

export interface PoolerStepsOptions {
  readonly controller: PoolerController;
  readonly database: ManagedDatabase;
  readonly registration: Registration;
  /** How often the controller is asked whether queries get through. */
  readonly healthIntervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called, synchronously, after each change of {@link PoolerSteps.queryPath}. */
  readonly onChange: () => void;
  /** Called when the controller blames the database. */
  readonly onFault: () => void;
}

/**
 * What lives as long as a server does.
 *
 * | state    | the controller                                | asked for its health |
 * | -------- | --------------------------------------------- | -------------------- |
 * | none     | has no database                               | no                   |
 * | attached | is initialised with `handle`                  | no                   |
 * | serving  | is open on `handle`, and may serve            | yes                  |
 */
type Attachment =
  | { readonly type: "none" }
  | { readonly type: "attached"; readonly handle: DatabaseHandle }
  | {
      readonly type: "serving";
      readonly handle: DatabaseHandle;
      readonly queryPath: QueryPathMonitor;
    };

/**
 * The steps of a transition, on a real pooler. For one run of the manager.
 *
 * When PostgreSQL dies, leaves, or its name comes to mean another server:
 *
 * | step                                                                 | by                             |
 * | -------------------------------------------------------------------- | ------------------------------ |
 * | 1. a check fails often enough, or says that the server leaves        | `DatabaseMonitor`              |
 * | 2. not ready, with the reason; the target is one that admits nothing | `deriveTarget`, `takeSnapshot` |
 * | 3. the topology learns that the pooler stops serving                 | `ServingReconciler`            |
 * | 4. the controller drains; DRAINED also closes its idle sessions      | `setServingType`               |
 * | 5. no more health checks, the heartbeat ends, the manager's own connections are closed | `retire`     |
 * | 6. checks dial, with backoff, whatever the name stands for by then   | `ManagedDatabase`              |
 * | 7. one succeeds: the controller gets the new handle, and is opened   | `prepare`                      |
 *
 * Until the last step the controller stays open on the old handle, so that a refusal tells clients
 * the status and that they may retry. One that cannot take another handle is closed first, and its
 * clients with it.
 */
export class PoolerSteps implements ServingSteps {
  readonly #options: PoolerStepsOptions;
  #attachment: Attachment = { type: "none" };

  constructor(options: PoolerStepsOptions) {
    this.#options = options;
  }

  /** Whether queries get through; unknown while the pooler does not serve. */
  get queryPath(): QueryPathHealth {
    return this.#attachment.type === "serving"
      ? this.#attachment.queryPath.health
      : { state: "unknown" };
  }

  current(): ServingTarget {
    return this.#options.controller.servingStatus().current;
  }

  /** The heartbeat goes with the role: a primary writes it, anything else reads it. */
  async prepare({ role }: ServingTarget, { signal }: CallOptions): Promise<void> {
    const { controller, database } = this.#options;
    const handle = await database.serve(role, { signal });
    signal?.throwIfAborted();
    await this.#attach(handle);
    signal?.throwIfAborted();
    await controller.open({ signal });
    this.#askFrom(handle);
  }

  claim(target: ServingTarget, options: CallOptions): Promise<void> {
    return this.#options.registration.claim(target, options);
  }

  setServingType(target: ServingTarget, options: CallOptions): Promise<void> {
    return this.#options.controller.setServingType(target, options);
  }

  async retire(next: ServingTarget): Promise<void> {
    const { database } = this.#options;
    await this.#stopAsking();
    await database.retire();
    if (!admits(next.status)) {
      await database.letGo();
    }
  }

  announce(announcement: ServingAnnouncement): void {
    this.#options.registration.announce(announcement);
  }

  /** Ends what is left where a transition was cut. The controller is the caller's. Idempotent. */
  async close(): Promise<void> {
    await this.#stopAsking();
  }

  /** A controller never holds sessions to two servers: it lets go of the one handle for the other. */
  async #attach(handle: DatabaseHandle): Promise<void> {
    const { controller } = this.#options;
    const before = this.#attachment;
    if (before.type !== "none") {
      if (before.handle === handle) {
        return;
      }
      await this.#stopAsking();
      if (controller.replaceDatabase !== undefined) {
        await controller.replaceDatabase(handle);
        this.#attachment = { type: "attached", handle };
        return;
      }
      await controller.close();
      this.#attachment = { type: "none" };
    }
    controller.initDBConfig(handle);
    this.#attachment = { type: "attached", handle };
  }

  #askFrom(handle: DatabaseHandle): void {
    if (this.#attachment.type === "serving") {
      return;
    }
    const { controller, healthIntervalMs, clock, logger, onChange, onFault } = this.#options;
    const queryPath = new QueryPathMonitor({
      ask: (options) => controller.isHealthy(options),
      holdsConnections: () => handle.share.used > 0,
      intervalMs: healthIntervalMs,
      clock,
      logger,
      onChange,
      onFault,
    });
    this.#attachment = { type: "serving", handle, queryPath };
    queryPath.open();
  }

  async #stopAsking(): Promise<void> {
    if (this.#attachment.type !== "serving") {
      return;
    }
    const { handle, queryPath } = this.#attachment;
    this.#attachment = { type: "attached", handle };
    await queryPath.close();
  }
}
