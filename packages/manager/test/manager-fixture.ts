import { inspect } from "node:util";
import { MockController } from "@multipooler/controller-testkit";
import { ID_ComponentType, Topology, ensureCell } from "@multipooler/topo";
import type {
  ID,
  Multipooler,
  PoolerType as RecordType,
  RecordEvent,
  Versioned,
  TopoStore,
} from "@multipooler/topo";
import { MemoryTopology } from "@multipooler/topo/memory";
import type { DatabaseConfig } from "../src/postgres/database-config.ts";
import { postgresDatabase } from "../src/postgres/postgres-provider.ts";
import { MultiPoolerManager } from "../src/manager.ts";
import type { ManagerOptions } from "../src/manager-options.ts";
import type { ManagerStatus } from "../src/manager-status.ts";
import { PoolerType } from "../src/record/pooler-type.ts";
import { FakeTransport } from "./fake-transport.ts";
import { PATIENCE } from "./patience.ts";
import { RecordingLogger } from "./recording-logger.ts";

const CELL = "zone1";
const NAME = "a";

/** What a test may choose; the rest is made for it. */
export interface FixtureOptions {
  /** Of the PostgreSQL to use; `manager.database` may name something else altogether. */
  readonly database?: Partial<DatabaseConfig>;
  readonly controller?: MockController;
  readonly initialType?: PoolerType;
  readonly poolerDir?: string;
  readonly name?: string;
  readonly shard?: string;
  readonly servers?: MemoryTopology;
  readonly manager?: Partial<ManagerOptions>;
}

/** A manager with fakes around it. Disposing closes it. */
export class ManagerFixture implements AsyncDisposable {
  readonly manager: MultiPoolerManager;
  readonly controller: MockController;
  readonly transport: FakeTransport = new FakeTransport();
  readonly logger: RecordingLogger = new RecordingLogger();
  readonly servers: MemoryTopology;
  readonly topology: TopoStore;
  readonly #id: ID;

  constructor(options: FixtureOptions) {
    const { database, controller, initialType, poolerDir, shard, servers, manager } = options;
    const name = options.name ?? NAME;
    this.#id = { component: ID_ComponentType.MULTIPOOLER, cell: CELL, name };
    this.controller = controller ?? new MockController();
    this.servers = servers ?? new MemoryTopology();
    this.topology = new Topology({
      backend: this.servers,
      serverAddresses: ["memory"],
      root: "/test/global",
    });
    this.manager = new MultiPoolerManager({
      controller: this.controller,
      topology: this.topology,
      topologyName: "memory",
      pooler: {
        identity: { cell: CELL, name },
        shard: { database: "postgres", tableGroup: "default", shard: shard ?? "0-inf" },
        initialType: initialType ?? PoolerType.Primary,
        hostname: "localhost",
        ports: () => ({ grpc: 1234 }),
        poolerDir,
      },
      database: postgresDatabase({
        address: { type: "tcp", host: "127.0.0.1", port: 1 },
        database: "postgres",
        user: "postgres",
        password: () => undefined,
        ...database,
      }),
      logger: this.logger,
      healthIntervalMs: 50,
      ...manager,
    });
  }

  /** Creates the cell, as an operator does once. */
  async prepareTopology(): Promise<void> {
    await ensureCell(this.topology, { name: CELL, serverAddresses: [], root: `/test/${CELL}` });
  }

  /** Opens the manager over a topology that has the cell. */
  async open(): Promise<void> {
    await this.prepareTopology();
    await this.manager.open({ transports: [this.transport] });
  }

  /** Resolves with the first status that holds. Rejects with what it waited for, and what is instead. */
  async until(holds: (status: ManagerStatus) => boolean): Promise<ManagerStatus> {
    const now = this.manager.status();
    if (holds(now)) {
      return now;
    }
    const { promise, resolve, reject } = Promise.withResolvers<ManagerStatus>();
    const limit = setTimeout(() => {
      const { type, database, serving, notReadyReason } = this.manager.status();
      const status = inspect({ type, database, serving, notReadyReason }, { depth: 4 });
      reject(new Error(`not within ${PATIENCE.timeout} ms: ${String(holds)}, but ${status}`));
    }, PATIENCE.timeout);
    const unwatch = this.manager.watchStatus((status) => {
      if (holds(status)) {
        resolve(status);
      }
    });
    try {
      return await promise;
    } finally {
      clearTimeout(limit);
      unwatch();
    }
  }

  untilReady(): Promise<ManagerStatus> {
    return this.until((status) => status.ready);
  }

  /** Resolves with the first record, as others see it, that holds. */
  async untilRecord(holds: (record: Multipooler) => boolean): Promise<Multipooler> {
    for await (const event of this.topology.cell(CELL).poolers.watch({ id: this.#id })) {
      const found = entriesOf(event).find(({ record }) => holds(record));
      if (found !== undefined) {
        return found.record;
      }
    }
    throw new Error("the watch ended");
  }

  /** Resolves with the record as others see it now. */
  async record(): Promise<Multipooler> {
    return (await this.topology.cell(CELL).poolers.get(this.#id)).record;
  }

  /** Changes the type in the record, as an operator does. */
  async setType(type: RecordType): Promise<void> {
    await this.topology.cell(CELL).poolers.update(this.#id, (record) => ({ ...record, type }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.manager.close();
    await this.topology.close();
  }
}

function entriesOf(event: RecordEvent<Multipooler>): readonly Versioned<Multipooler>[] {
  switch (event.type) {
    case "snapshot":
      return event.entries;
    case "put":
      return [event];
    default:
      return [];
  }
}
