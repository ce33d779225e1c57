import { ManualClock } from "@multipooler/timing/testing";
import {
  ID_ComponentType,
  PoolerLifecycleStatus,
  PoolerServingStatus,
  RoutingRole,
  TopoError,
  TopoErrorCode,
  Topology,
  ensureCell,
} from "@multipooler/topo";
import type { CellStore, ID, Multipooler, Records, ShardKey } from "@multipooler/topo";
import { MemoryTopology } from "@multipooler/topo/memory";
import { afterEach, expect } from "vitest";
import type { PoolerDescription } from "../src/manager-options.ts";
import { PoolerPublisher } from "../src/record/pooler-publisher.ts";
import type { PoolerPublisherOptions } from "../src/record/pooler-publisher.ts";
import type { PoolerState } from "../src/record/pooler-record.ts";
import { PoolerType } from "../src/record/pooler-type.ts";
import { isRefusal } from "../src/record/publisher-status.ts";

export const STARTS_AT: number = Date.UTC(2026, 10, 23);

type Identity = Pick<Multipooler, "hostname" | "portMap" | "poolerDir" | "pgDataDir"> & {
  readonly id: ID;
  readonly shardKey: ShardKey;
};

/** What the record says of the pooler for as long as it runs. */
export const identity: Identity = {
  id: { component: ID_ComponentType.MULTIPOOLER, cell: "zone1", name: "abcd1234" },
  shardKey: { database: "app", tableGroup: "default", shard: "0-inf" },
  hostname: "db1.example",
  portMap: { grpc: 15_432, http: 15_433, postgres: 5432 },
  poolerDir: "/var/lib/multipooler",
  pgDataDir: "/var/lib/postgresql",
};

/** The same as a manager is given it. */
export const pooler: PoolerDescription = {
  identity: { cell: identity.id.cell, name: identity.id.name },
  shard: identity.shardKey,
  initialType: PoolerType.Replica,
  hostname: identity.hostname,
  ports: () => identity.portMap,
  poolerDir: identity.poolerDir,
  dataDir: identity.pgDataDir,
};

export const SERVING: PoolerState = {
  servingStatus: PoolerServingStatus.SERVING,
  lifecycle: { status: PoolerLifecycleStatus.LIFECYCLE_ACTIVE, reason: "PostgreSQL answers" },
  routingState: { role: RoutingRole.ROUTING_ROLE_PRIMARY, rule: undefined },
};

/** What a test may choose of a publisher. */
type PublisherChoices = Partial<PoolerPublisherOptions> & { readonly initialType?: PoolerType };

/** One topology, moved by hand, and what publishers make of it. */
export class World {
  readonly clock: ManualClock = new ManualClock({ startsAt: STARTS_AT });
  readonly backend: MemoryTopology = new MemoryTopology({ clock: this.clock });
  readonly topology: Topology;
  readonly warnings: string[] = [];
  /** How many times a publisher wrote. */
  writes = 0;
  /** What happens to the writes of publishers. */
  network: "works" | "loses answers" | "is silent" | "is slow" = "works";
  /** Whether the watches of publishers tell nothing. */
  isDeaf = false;
  /** Lets the answers of a slow network through. */
  release: () => void = () => {};

  constructor() {
    const { backend, clock } = this;
    this.topology = new Topology({ backend, serverAddresses: ["memory"], root: "/global", clock });
  }

  get cell(): CellStore {
    return this.topology.cell("zone1");
  }

  get poolers(): Records<ID, Multipooler> {
    return this.cell.poolers;
  }

  async record(): Promise<Multipooler> {
    return (await this.poolers.get(identity.id)).record;
  }

  publisher({ initialType, ...options }: PublisherChoices = {}): PoolerPublisher {
    const warn = (_fields: object, message: string): void => {
      this.warnings.push(message);
    };
    const silent = (): void => {};
    return new PoolerPublisher({
      cell: { ...this.cell, poolers: this.#overNetwork() },
      pooler: { ...pooler, initialType: initialType ?? pooler.initialType },
      rememberedType: undefined,
      logger: { debug: silent, info: silent, warn, error: warn },
      clock: this.clock,
      random: () => 1,
      ...options,
    });
  }

  #overNetwork(): Records<ID, Multipooler> {
    const { poolers } = this;
    return {
      get: (id, options) => poolers.get(id, options),
      list: (options) => poolers.list(options),
      watch: (options) => (this.isDeaf ? silence(options?.signal) : poolers.watch(options)),
      create: (id, record, options) =>
        this.#write(() => poolers.create(id, record, options), options?.signal),
      replace: (id, record, options) =>
        this.#write(() => poolers.replace(id, record, options), options.signal),
      update: (id, change, options) => poolers.update(id, change, options),
      delete: (id, options) => poolers.delete(id, options),
    };
  }

  async #write(write: () => Promise<bigint>, signal: AbortSignal | undefined): Promise<bigint> {
    this.writes += 1;
    if (this.network === "is silent") {
      return untilAborted(signal);
    }
    const version = await write();
    if (this.network === "is slow") {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.release = resolve;
      await promise;
    }
    return this.network === "loses answers" ? untilAborted(signal) : version;
  }
}

const opened: PoolerPublisher[] = [];
let current: World | undefined;

afterEach(async () => {
  if (current !== undefined) {
    current.network = "works";
  }
  // Whatever a test did: a publisher that has been closed leaves nothing asleep.
  await Promise.all(opened.splice(0).map((publisher) => publisher.close().catch(() => {})));
  await current?.topology.close();
  await current?.clock.advance(0);
  expect(current?.clock.pending ?? 0).toBe(0);
  current = undefined;
});

export async function world(): Promise<World> {
  const made = new World();
  current = made;
  await ensureCell(made.topology, { name: "zone1", serverAddresses: [], root: "/zone1" });
  return made;
}

export function open(made: World, options: PublisherChoices = {}): PoolerPublisher {
  const publisher = made.publisher(options);
  opened.push(publisher);
  publisher.open();
  publisher.open();
  return publisher;
}

/**
 * Resolves once the record has been created or read and renewed, so that the type comes from the
 * topology. Rejects where waiting does not help.
 */
export async function registered(
  publisher: PoolerPublisher,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  await publisher.until((status) => {
    if (!status.registered && isRefusal(status.lastError)) {
      throw status.lastError;
    }
    return status.registered;
  }, signal);
}

/** A watch that tells nothing until it is left. */
async function* silence(signal: AbortSignal | undefined): AsyncGenerator<never, void> {
  yield await untilAborted(signal);
}

function untilAborted(signal: AbortSignal | undefined): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  const fail = (): void =>
    reject(new TopoError({ code: abortCode(signal), key: "/", message: "" }));
  if (signal?.aborted === true) {
    fail();
  }
  signal?.addEventListener("abort", fail, { once: true });
  return promise;
}

function abortCode(signal: AbortSignal | undefined): TopoErrorCode {
  const reason: unknown = signal?.reason;
  const timedOut = reason instanceof Error && reason.name === "TimeoutError";
  return timedOut ? TopoErrorCode.Timeout : TopoErrorCode.Interrupted;
}
