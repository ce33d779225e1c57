import { systemClock } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { ID_ComponentType, TopoErrorCode, ensureCell, isTopoError } from "@multipooler/topo";
import type { CellStore, Multipooler, PoolerOwner, Topology } from "@multipooler/topo";
import type { PoolerDescription } from "../src/manager-options.ts";
import type { TopologyStatus } from "../src/manager-status.ts";
import { PoolerType } from "../src/record/pooler-type.ts";
import { Registration } from "../src/record/registration.ts";
import { TypeMemory } from "../src/record/type-memory.ts";
import { RecordingLogger } from "./recording-logger.ts";
import { ROOT, connect } from "./record-store.ts";
import type { RecordStore } from "./record-store.ts";

const CELL = "zone1";
const POOLER_ID = { component: ID_ComponentType.MULTIPOOLER, cell: CELL, name: "a" };

export interface PoolerChoices {
  readonly port?: number;
  readonly clock?: Clock;
}

/** A pooler's registration over a real store, and what its manager would learn of it. */
export class RegisteredPooler implements AsyncDisposable {
  readonly registration: Registration;
  readonly logger: RecordingLogger = new RecordingLogger();
  /** Every status that there was. */
  readonly statuses: TopologyStatus[] = [];
  readonly #topology: Topology;
  #changed = Promise.withResolvers<void>();

  constructor(store: RecordStore, { port = 1, clock = systemClock }: PoolerChoices = {}) {
    const { logger } = this;
    const pooler: PoolerDescription = {
      identity: { cell: CELL, name: POOLER_ID.name },
      shard: { database: "app", tableGroup: "default", shard: "0-inf" },
      initialType: PoolerType.Primary,
      hostname: "db1.example",
      ports: () => ({ grpc: port }),
    };
    this.#topology = connect(store);
    this.registration = new Registration({
      topology: this.#topology,
      topologyName: "test",
      pooler,
      memory: new TypeMemory({ poolerDir: undefined, poolerId: "a", logger }),
      rememberedType: undefined,
      health: () => ({ state: "unknown" }),
      isPrimary: () => false,
      isPromoting: () => false,
      term: () => undefined,
      clock,
      random: Math.random,
      logger,
      onChange: () => {
        this.statuses.push(this.registration.status());
        this.#changed.resolve();
        this.#changed = Promise.withResolvers();
      },
    });
  }

  /** Resolves once `holds`. */
  async until(holds: (pooler: RegisteredPooler) => boolean): Promise<void> {
    while (!holds(this)) {
      await this.#changed.promise;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registration.close().catch(() => undefined);
    await this.#topology.close();
  }
}

/** What another process sees of the store, and does to it. */
export class Observer implements AsyncDisposable {
  readonly topology: Topology;

  constructor(store: RecordStore) {
    this.topology = connect(store);
  }

  get cell(): CellStore {
    return this.topology.cell(CELL);
  }

  /** Creates the record of the cell, as an operator does once. */
  async prepare(): Promise<void> {
    await ensureCell(this.topology, { name: CELL, serverAddresses: [], root: `${ROOT}/${CELL}` });
  }

  async record(): Promise<Multipooler> {
    return (await this.cell.poolers.get(POOLER_ID)).record;
  }

  /** The record, where somebody who looks for it by its cell finds it. */
  async find(): Promise<Multipooler | undefined> {
    try {
      await this.topology.global.cells.get(CELL);
      return await this.record();
    } catch (error) {
      if (isTopoError(error, TopoErrorCode.NoNode, TopoErrorCode.Unavailable)) {
        return undefined;
      }
      throw error;
    }
  }

  async deleteRecord(): Promise<void> {
    await this.cell.poolers.delete(POOLER_ID);
  }

  async deleteCell(): Promise<void> {
    await this.topology.global.cells.delete(CELL);
  }

  /** Puts another process in the place of the name's owner, for as long as the session lives. */
  async seize(owner: PoolerOwner): Promise<AsyncDisposable> {
    const session = await this.cell.openSession();
    const { version } = await this.cell.owners.get(POOLER_ID);
    await this.cell.owners.replace(POOLER_ID, owner, { version, session });
    return session;
  }

  /** Has a process own the name that renews its session no more. */
  async leaveBehind(owner: PoolerOwner, ttlMs?: number): Promise<void> {
    const session = await this.cell.openSession({ ttlMs });
    await this.cell.owners.create(POOLER_ID, owner, { session });
    session.orphan();
  }

  async owner(): Promise<PoolerOwner | undefined> {
    try {
      return (await this.cell.owners.get(POOLER_ID)).record;
    } catch (error) {
      if (isTopoError(error, TopoErrorCode.NoNode)) {
        return undefined;
      }
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.topology.close();
  }
}
