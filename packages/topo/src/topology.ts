import type { Cell } from "@multipooler/proto/clustermetadata";
import { systemClock } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { TopoErrorCode, isTopoError, storeClosed } from "./error.ts";
import { joinKey } from "./keys.ts";
import type { Abortable, Backend, KeyValueStore } from "./key-value.ts";
import { KeyLocker } from "./key-locker.ts";
import { RecordCollection } from "./record-collection.ts";
import type { Location, RecordKind } from "./record-collection.ts";
import { cellKind, databaseKind, ownerKind, poolerKind, primaryKind } from "./record-kinds.ts";
import type { CellStore, GlobalStore, TopoStore } from "./topo-store.ts";

/** Where the topology is. */
export interface TopologyOptions {
  readonly backend: Backend;
  /** The addresses of the global store, as the backend understands them. */
  readonly serverAddresses: readonly string[];
  /** What every key of the global store begins with, for instance `/multigres/global`. */
  readonly root: string;
  /** A cell whose record is made with the first use of the cell, where there is none. */
  readonly homeCell?: Cell | undefined;
  readonly clock?: Clock | undefined;
  /** A number from 0 up to 1, for the jitter between attempts. */
  readonly random?: (() => number) | undefined;
}

/** The topology of one cluster, over one kind of server. Connects with its first use. */
export class Topology implements TopoStore {
  readonly global: GlobalStore;
  readonly #backend: Backend;
  readonly #serverAddresses: readonly string[];
  readonly #homeCell: Cell | undefined;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #cells = new Map<string, CellStore>();
  readonly #connections = new Map<string, KeyValueStore>();
  #closed = false;

  constructor({ backend, serverAddresses, root, homeCell, clock, random }: TopologyOptions) {
    this.#backend = backend;
    this.#serverAddresses = serverAddresses;
    this.#homeCell = homeCell;
    this.#clock = clock ?? systemClock;
    this.#random = random ?? Math.random;
    const locate = async (): Promise<Location> => ({
      store: this.#connection(serverAddresses, root),
      root,
    });
    const locker = new KeyLocker({ locate, clock: this.#clock, random: this.#random });
    this.global = {
      cells: this.#collection(cellKind, locate),
      databases: this.#collection(databaseKind, locate),
      primaries: this.#collection(primaryKind, locate),
      openSession: async (options) => (await locate()).store.openSession(options),
      lock: (path, options) => locker.lock(path, options),
      tryLock: (path, options) => locker.tryLock(path, options),
      lockHolder: (path, options) => locker.lockHolder(path, options),
    };
  }

  cell(name: string): CellStore {
    const known = this.#cells.get(name);
    if (known !== undefined) {
      return known;
    }
    let located: Location | undefined;
    // Cells do not move while components run, so the record is read once.
    const locate = async (options: Abortable): Promise<Location> => {
      if (located === undefined || this.#closed) {
        located = await this.#locateCell(name, options);
      }
      return located;
    };
    const store: CellStore = {
      poolers: this.#collection(poolerKind, locate),
      owners: this.#collection(ownerKind, locate),
      openSession: async (options = {}) => (await locate(options)).store.openSession(options),
    };
    this.#cells.set(name, store);
    return store;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const connections = [...this.#connections.values()];
    this.#connections.clear();
    await Promise.all(connections.map((connection) => connection.close()));
  }

  #collection<Id, T>(
    kind: RecordKind<Id, T>,
    locate: (options: Abortable) => Promise<Location>,
  ): RecordCollection<Id, T> {
    return new RecordCollection({ kind, locate, clock: this.#clock, random: this.#random });
  }

  async #locateCell(name: string, options: Abortable): Promise<Location> {
    const home = this.#homeCell;
    const { record } =
      home?.name === name
        ? await ensureCell(this, home, options)
        : await this.global.cells.get(name, options);
    const addresses =
      record.serverAddresses.length === 0 ? this.#serverAddresses : record.serverAddresses;
    return { store: this.#connection(addresses, record.root), root: record.root };
  }

  /** Cells often live on the servers of the global store, or on each other's: one connection then. */
  #connection(addresses: readonly string[], root: string): KeyValueStore {
    if (this.#closed) {
      throw storeClosed(joinKey(root));
    }
    const name = addresses.toSorted().join(",");
    const connection = this.#connections.get(name) ?? this.#backend.connect(addresses);
    this.#connections.set(name, connection);
    return connection;
  }
}

/** The record of a cell, and whether it had to be made. */
export interface EnsuredCell {
  /** The record that is there now: another writer's may name other addresses or another root. */
  readonly record: Cell;
  readonly created: boolean;
}

/** Creates the record of a cell where there is none. Never changes one. */
export async function ensureCell(
  topo: TopoStore,
  cell: Cell,
  { signal }: Abortable = {},
): Promise<EnsuredCell> {
  const { cells } = topo.global;
  try {
    return { record: (await cells.get(cell.name, { signal })).record, created: false };
  } catch (error) {
    if (!isTopoError(error, TopoErrorCode.NoNode)) {
      throw error;
    }
  }
  try {
    await cells.create(cell.name, cell, { signal });
    return { record: cell, created: true };
  } catch (error) {
    if (!isTopoError(error, TopoErrorCode.NodeExists)) {
      throw error;
    }
  }
  // Somebody else was faster.
  return { record: (await cells.get(cell.name, { signal })).record, created: false };
}
