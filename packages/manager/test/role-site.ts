import { MemoryTopology } from "@multipooler/topo/memory";
import type { ManagerError } from "../src/manager-error.ts";
import type { ServerProcess } from "../src/promotion/server-process.ts";
import { PoolerType } from "../src/record/pooler-type.ts";
import type {
  MainProcess,
  SynchronousReplication,
} from "../src/replication/replication-control.ts";
import { NO_TERM } from "../src/terms/consensus-term.ts";
import { FakeReplication } from "./fake-replication.ts";
import { ManagerFixture } from "./manager-fixture.ts";
import { MemoryDatabase } from "./memory-database.ts";

/** One standby is waited for. */
export const SYNCHRONOUS: SynchronousReplication = {
  commit: "on",
  method: "any",
  count: 1,
  standbys: [{ cell: "zone1", name: "b" }],
};

interface SiteOptions {
  readonly isStandby?: boolean;
  readonly servers?: MemoryTopology;
  readonly name?: string;
}

/** A pooler over a server that is nowhere, with a control of its process. */
export class RoleSite implements AsyncDisposable {
  readonly replication: FakeReplication = new FakeReplication();
  readonly database: MemoryDatabase;
  readonly fixture: ManagerFixture;
  readonly log: string[] = [];
  /** The servers that the control of the process was to be one of. */
  readonly checked: (MainProcess | undefined)[] = [];
  /** What the control of the process rejects with. */
  lost: ManagerError | undefined;
  /** What the control of the process says of it. */
  isRunning: () => boolean = () => true;

  constructor(poolerDir: string, { isStandby = false, servers, name = "a" }: SiteOptions = {}) {
    this.replication.inRecovery = isStandby;
    this.database = new MemoryDatabase(this.replication);
    const initialType = isStandby ? PoolerType.Replica : PoolerType.Primary;
    const { database } = this;
    const serverProcess = this.#process();
    const manager = { database, serverProcess, healthIntervalMs: 10 };
    database.server = `server of ${name}`;
    this.fixture = new ManagerFixture({
      poolerDir,
      initialType,
      name,
      servers: servers ?? new MemoryTopology(),
      manager,
    });
  }

  static async open(poolerDir: string, options?: SiteOptions): Promise<RoleSite> {
    const site = new RoleSite(poolerDir, options);
    await site.fixture.open();
    return site;
  }

  get roles(): ManagerFixture["manager"]["roles"] {
    return this.fixture.manager.roles;
  }

  /** Sets the first term of the pooler, as a coordinator does once. */
  async recruit(number: bigint): Promise<void> {
    await this.fixture.untilReady();
    await this.fixture.manager.consensus.setTerm({ ...NO_TERM, number });
    // A primary is routed to under its new term first.
    await this.fixture.untilReady();
  }

  /** Resolves when the pooler is where server and type want it. */
  async settled(): Promise<void> {
    const { replication } = this;
    await this.fixture.until(
      ({ serving, database }) =>
        serving.wanted === undefined && database.inRecovery === replication.inRecovery,
    );
  }

  /** What it serves, and as what it is in the topology. */
  get state(): string {
    const { type, serving } = this.fixture.manager.status();
    return `${type}: ${serving.current.role} ${serving.current.status}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fixture[Symbol.asyncDispose]();
  }

  #process(): ServerProcess {
    return {
      check: async (server) => {
        this.checked.push(server);
        if (this.lost !== undefined) {
          throw this.lost;
        }
      },
      isRunning: async () => this.isRunning(),
      restartAsStandby: async () => {
        const { status } = this.fixture.manager.status().serving.current;
        this.log.push(`restart while ${status}`);
        if (this.lost !== undefined) {
          throw this.lost;
        }
        this.replication.fault = undefined;
        this.replication.become(true);
      },
    };
  }
}
