import pg from "pg";
import { MockController } from "@multipooler/controller-testkit";
import type { DatabaseHandle, ServingTarget } from "@multipooler/controller-api";
import type { CallOptions } from "@multipooler/query-service";

/** A controller that holds idle sessions as a pool does: from `open` until DRAINED or `close`. */
export class PoolController extends MockController {
  readonly #clients = new Set<pg.Client>();
  /** Where its sessions went, in order. */
  readonly dialled: string[] = [];

  override async open(options?: CallOptions): Promise<void> {
    await super.open(options);
    await this.#fill();
  }

  override async setServingType(target: ServingTarget, options?: CallOptions): Promise<void> {
    await super.setServingType(target, options);
    if (target.status === "DRAINED") {
      await this.#empty();
    }
  }

  override async close(): Promise<void> {
    await super.close();
    await this.#empty();
  }

  async #fill(): Promise<void> {
    const { database } = this;
    if (database === undefined) {
      return;
    }
    while (this.#clients.size < 3) {
      const client = new pg.Client(configOf(database));
      client.on("error", () => this.#clients.delete(client));
      this.#clients.add(client);
      this.dialled.push(client.host);
      await client.connect();
    }
  }

  async #empty(): Promise<void> {
    const clients = [...this.#clients];
    this.#clients.clear();
    await Promise.all(clients.map((client) => client.end()));
  }
}

function configOf({ address, database, user, applicationName }: DatabaseHandle): pg.ClientConfig {
  if (address.type !== "tcp") {
    throw new Error("TCP only");
  }
  return {
    host: address.host,
    port: address.port,
    database,
    user,
    application_name: `${applicationName} pool`,
  };
}
