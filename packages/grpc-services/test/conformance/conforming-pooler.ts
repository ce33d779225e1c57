import { MultiPoolerManager, postgresDatabase, PoolerType } from "@multipooler/manager";
import type { ManagerStatus } from "@multipooler/manager";
import { MultiPooler } from "@multipooler/poolerserver";
import type { MultiPoolerOptions } from "@multipooler/poolerserver";
import type { TestPostgres } from "@multipooler/test-postgres";
import { ensureCell, Topology } from "@multipooler/topo";
import type { TopologyOptions, TopoStore } from "@multipooler/topo";
import { MemoryTopology } from "@multipooler/topo/memory";
import { GrpcServer } from "../../src/server/grpc-server.ts";
import { WireClient } from "./wire-client.ts";

const CELL = "zone1";
/** Where the records are. */
export const GLOBAL_ROOT = "/conformance/global";
const logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** What a test changes of a pooler that is a primary alone in memory. */
export interface ConformingOptions {
  readonly controller?: Partial<MultiPoolerOptions>;
  readonly type?: PoolerType;
  readonly healthStalenessMs?: number;
  /** Where its record is. */
  readonly store?: Pick<TopologyOptions, "backend" | "serverAddresses">;
  /** A port in front of the server. */
  readonly port?: number;
}

/** The real parts as the program puts them together: gRPC server, manager, controller. */
export class ConformingPooler implements AsyncDisposable {
  readonly manager: MultiPoolerManager;
  readonly server: GrpcServer;
  readonly topology: TopoStore;
  readonly client: WireClient;
  readonly #parts: AsyncDisposableStack;

  private constructor(
    { manager, server, topology }: Pick<ConformingPooler, "manager" | "server" | "topology">,
    parts: AsyncDisposableStack,
  ) {
    this.manager = manager;
    this.server = server;
    this.topology = topology;
    this.client = parts.use(new WireClient(this.address));
    this.#parts = parts;
  }

  static async start(
    postgres: TestPostgres,
    options: ConformingOptions = {},
  ): Promise<ConformingPooler> {
    await using parts = new AsyncDisposableStack();
    const { backend = new MemoryTopology(), serverAddresses = ["memory"] } = options.store ?? {};
    const topology = parts.adopt(
      new Topology({ backend, serverAddresses, root: GLOBAL_ROOT }),
      (store) => store.close(),
    );
    await ensureCell(topology, { name: CELL, serverAddresses: [], root: `${GLOBAL_ROOT}/${CELL}` });
    const manager = parts.use(managerOf(postgres, topology, options, () => server.port ?? 0));
    const server: GrpcServer = new GrpcServer({
      manager,
      host: "127.0.0.1",
      port: 0,
      version: "1.2.3",
      healthStalenessMs: options.healthStalenessMs,
      logger,
    });
    await manager.open({ transports: [server] });
    await until(manager, ({ ready }) => ready);
    return new ConformingPooler({ manager, server, topology }, parts.move());
  }

  get address(): string {
    return `127.0.0.1:${this.server.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }
}

/** Resolves when the status of the manager holds. */
async function until(
  manager: MultiPoolerManager,
  holds: (status: ManagerStatus) => boolean,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = (status: ManagerStatus): void => {
    if (holds(status)) {
      resolve();
    }
  };
  const unwatch = manager.watchStatus(look);
  look(manager.status());
  await promise;
  unwatch();
}

function managerOf(
  postgres: TestPostgres,
  topology: TopoStore,
  { controller, type = PoolerType.Primary, port = postgres.port }: ConformingOptions,
  grpcPort: () => number,
): MultiPoolerManager {
  return new MultiPoolerManager({
    controller: new MultiPooler({
      shard: { tableGroup: "default", shard: "0-inf" },
      capacity: 20,
      logger,
      ...controller,
    }),
    topology,
    topologyName: "conformance",
    pooler: {
      identity: { cell: CELL, name: "a" },
      shard: { database: "postgres", tableGroup: "default", shard: "0-inf" },
      initialType: type,
      hostname: "localhost",
      ports: () => ({ grpc: grpcPort() }),
    },
    database: postgresDatabase({
      address: { type: "tcp", host: postgres.host, port },
      database: "postgres",
      user: postgres.user,
      password: () => postgres.password,
    }),
    logger,
  });
}
