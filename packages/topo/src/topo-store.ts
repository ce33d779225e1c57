import type { Cell, Database, ID, Multipooler } from "@multipooler/proto/clustermetadata";
import type { SessionOpener } from "./key-value.ts";
import type { Locker } from "./lock.ts";
import type { PoolerOwner } from "./pooler-owner.ts";
import type { Records } from "./records.ts";
import type { ShardName, ShardState } from "./shard-primary.ts";

/** What the whole cluster shares: changed by operators, rarely. */
export interface GlobalStore extends SessionOpener, Locker {
  /** By name of the cell. */
  readonly cells: Records<string, Cell>;
  /** By name of the database. */
  readonly databases: Records<string, Database>;
  /** Which server takes the writes of a shard, and whose data the shard is. */
  readonly primaries: Records<ShardName, ShardState>;
}

/** What the components of one cell tell about themselves. */
export interface CellStore extends SessionOpener {
  readonly poolers: Records<ID, Multipooler>;
  /** The process that uses a pooler's name, for as long as its session lives. */
  readonly owners: Records<ID, PoolerOwner>;
}

/**
 * The topology: how poolers are found and roles are remembered. The global store is at the
 * configured addresses; a cell's store is where the Cell record says, which is read with the first
 * use of the cell.
 */
export interface TopoStore {
  readonly global: GlobalStore;
  /** The store of a cell. No I/O; its methods reject with NO_NODE where no Cell record exists. */
  cell(name: string): CellStore;
  /** Ends everything pending with INTERRUPTED. Idempotent. */
  close(): Promise<void>;
}
