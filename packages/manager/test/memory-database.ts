import type { DatabaseHandle, PoolerRole } from "@multipooler/controller-api";
import type { ClusterPosition } from "../src/database/cluster-position.ts";
import type {
  DatabaseContext,
  DatabaseFacts,
  DatabaseProvider,
  ManagedDatabase,
  ManagedDatabaseStatus,
} from "../src/database/managed-database.ts";
import { ManagerError, ManagerErrorCode } from "../src/manager-error.ts";
import type { HeartbeatStatus } from "../src/manager-status.ts";
import type { FakeReplication } from "./fake-replication.ts";

/** What a test may change while the manager is open. */
type MemoryDatabaseState = Pick<
  MemoryDatabase,
  "fault" | "refusal" | "writeFault" | "server" | "inRecovery" | "cluster"
>;

/** A database that is nowhere but in this process, and as the test wants it to be. */
export class MemoryDatabase implements DatabaseProvider, ManagedDatabase {
  readonly address = { type: "socket", path: "memory" } as const;
  readonly database = "memory";
  readonly connectTimeoutMs = 1_000;
  /** What the manager called, `check` aside, in order. */
  readonly calls: string[] = [];
  /** What the next checks reject with. */
  fault: ManagerError | undefined;
  refusal: ManagerError | undefined;
  writeFault: string | undefined;
  heartbeat: HeartbeatStatus = { mode: "off" };
  /** Poolers with the same name of a server serve from the same one. */
  server = "memory";
  inRecovery = false;
  place: string | undefined;
  cluster: ClusterPosition | undefined;
  /** Connections of the controller, as the share counts them. */
  used = 0;
  readonly replication: FakeReplication | undefined;
  #context: DatabaseContext | undefined;
  #handle: DatabaseHandle | undefined;

  /** With one, it is in recovery where that says so, and has the manager look when that changes. */
  constructor(replication?: FakeReplication) {
    this.replication = replication;
  }

  open(context: DatabaseContext): ManagedDatabase {
    this.#context = context;
    if (this.replication !== undefined) {
      this.replication.onChange = context.suspect;
    }
    return this;
  }

  /** Changes something and has the manager look. */
  become(change: Partial<MemoryDatabaseState>): void {
    Object.assign(this, change);
    this.#context?.suspect();
    this.#context?.onChange();
  }

  async check(): Promise<DatabaseFacts> {
    if (this.fault !== undefined) {
      throw this.fault;
    }
    const { server, place, cluster } = this;
    const inRecovery = this.replication?.inRecovery ?? this.inRecovery;
    return { inRecovery, serverVersion: "memory", server, place, cluster };
  }

  async serve(role: PoolerRole): Promise<DatabaseHandle> {
    this.calls.push(`serve ${role}`);
    this.#handle ??= this.#newHandle();
    return this.#handle;
  }

  async retire(): Promise<void> {
    this.calls.push("retire");
  }

  async letGo(): Promise<void> {
    this.calls.push("letGo");
    this.#handle = undefined;
  }

  status(): ManagedDatabaseStatus {
    return {
      connectionsUsed: 0,
      connectionsLimit: 0,
      heartbeat: this.heartbeat,
      refusal: this.refusal,
      writeFault: this.writeFault,
    };
  }

  async close(): Promise<void> {
    this.calls.push("close");
    this.#handle = undefined;
    this.#context = undefined;
  }

  #newHandle(): DatabaseHandle {
    const used = (): number => this.used;
    return {
      address: this.address,
      database: this.database,
      user: "memory",
      tls: { mode: "disable" },
      dialTimeoutMs: 1_000,
      applicationName: "memory",
      share: {
        limit: 10,
        get used() {
          return used();
        },
        tryTake: () => undefined,
        onChange: () => () => undefined,
        serverIsFull: () => undefined,
      },
      credential: async () => ({ type: "none" }),
      admin: async () => {
        throw new ManagerError(ManagerErrorCode.Internal, "no statements here");
      },
      suspect: () => this.#context?.suspect(),
    };
  }
}
