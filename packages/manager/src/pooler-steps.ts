import { PoolerRole } from "@multipooler/controller-api";
import type { CallOptions, PoolerController, ServingTarget } from "@multipooler/controller-api";
import type { Database } from "./database/database.ts";
import type { Heartbeat } from "./heartbeat/heartbeat.ts";
import type { Registration } from "./record/registration.ts";
import type { ServingAnnouncement, ServingSteps } from "./serving/serving-reconciler.ts";
import { ensureSidecarSchema } from "./database/sidecar-schema.ts";

/** What {@link PoolerSteps} move. */
export interface PoolerStepsOptions {
  readonly controller: PoolerController;
  readonly database: Database;
  readonly heartbeat: Heartbeat;
  readonly registration: Registration;
}

/** The steps of a transition, on a real pooler. For one run of the manager. */
export class PoolerSteps implements ServingSteps {
  readonly #options: PoolerStepsOptions;
  #initialised = false;

  constructor(options: PoolerStepsOptions) {
    this.#options = options;
  }

  current(): ServingTarget {
    return this.#options.controller.servingStatus().current;
  }

  /** The heartbeat goes with the role: a primary writes it, anything else reads it. */
  async prepare({ role }: ServingTarget, { signal }: CallOptions): Promise<void> {
    const { controller, database, heartbeat } = this.#options;
    database.requireConnections();
    if (!this.#initialised) {
      controller.initDBConfig(database.handle);
    }
    this.#initialised = true;
    switch (role) {
      case PoolerRole.Primary:
        await ensureSidecarSchema(database, { signal });
        signal?.throwIfAborted();
        await heartbeat.write();
        break;
      case PoolerRole.Replica:
        await heartbeat.read({ signal });
        break;
    }
    signal?.throwIfAborted();
    await controller.open({ signal });
  }

  claim(target: ServingTarget, options: CallOptions): Promise<void> {
    return this.#options.registration.claim(target, options);
  }

  setServingType(target: ServingTarget, options: CallOptions): Promise<void> {
    return this.#options.controller.setServingType(target, options);
  }

  retire(): Promise<void> {
    return this.#options.heartbeat.off();
  }

  announce(announcement: ServingAnnouncement): void {
    this.#options.registration.announce(announcement);
  }
}
