import { isTopoError } from "@multipooler/topo";
import type { TopoError, TopoStore } from "@multipooler/topo";
import { recordName } from "./topo-record.ts";
import type { PoolerEntry, TopoKind, TopoRecord } from "./topo-record.ts";

/** A cell with its poolers. */
export interface CellListing {
  readonly cell: TopoRecord & { readonly kind: "cell" };
  readonly poolers: readonly PoolerEntry[];
}

/** The contents of the topology, as far as they could be read. */
export interface TopoListing {
  readonly cells: readonly CellListing[];
  readonly databases: readonly (TopoRecord & { readonly kind: "database" })[];
  readonly shards: readonly (TopoRecord & { readonly kind: "shard" })[];
  /** Why the rest is missing. */
  readonly errors: readonly TopoError[];
}

/**
 * Reads the topology; records of other kinds may be left out. Rejects if the global topology cannot be
 * read; a cell that cannot be read is one of the errors.
 */
export async function listTopology(
  topology: TopoStore,
  kinds: readonly TopoKind[],
): Promise<TopoListing> {
  const none = { records: [], error: undefined };
  const { cells, databases, primaries } = topology.global;
  const foundCells = await cells.list();
  const foundDatabases = kinds.includes("database") ? await databases.list() : none;
  const foundShards = kinds.includes("shard") ? await primaries.list() : none;
  const errors = [foundCells.error, foundDatabases.error, foundShards.error];
  const listings: CellListing[] = [];
  for (const cell of foundCells.records) {
    const found = kinds.includes("pooler")
      ? await listPoolers(topology, recordName(cell))
      : { poolers: [], errors: [] };
    errors.push(...found.errors);
    listings.push({ cell: { kind: "cell", ...cell }, poolers: found.poolers });
  }
  return {
    cells: listings,
    databases: foundDatabases.records.map((entry) => ({ kind: "database", ...entry })),
    shards: foundShards.records.map((entry) => ({ kind: "shard", ...entry })),
    errors: errors.filter((error) => error !== undefined),
  };
}

/** The records of some kinds: global ones first, then those of each cell. */
export function recordsOf(listing: TopoListing, kinds: readonly TopoKind[]): readonly TopoRecord[] {
  const all: readonly TopoRecord[] = [
    ...listing.cells.map(({ cell }) => cell),
    ...listing.databases,
    ...listing.shards,
    ...listing.cells.flatMap(({ poolers }) => poolers),
  ];
  return all.filter(({ kind }) => kinds.includes(kind));
}

interface FoundPoolers {
  readonly poolers: readonly PoolerEntry[];
  readonly errors: readonly (TopoError | undefined)[];
}

/** A pooler has its name before it has a record, so the names are read after the records. */
async function listPoolers(topology: TopoStore, cell: string): Promise<FoundPoolers> {
  const store = topology.cell(cell);
  try {
    const { records, error } = await store.poolers.list();
    const owners = await store.owners.list();
    const alive = new Set(owners.records.map(recordName));
    const poolers = records.map((entry): PoolerEntry => {
      const isAlive = alive.has(recordName(entry));
      return { kind: "pooler", ...entry, isAlive };
    });
    return { poolers, errors: [error, owners.error] };
  } catch (error) {
    if (!isTopoError(error)) {
      throw error;
    }
    return { poolers: [], errors: [error] };
  }
}
