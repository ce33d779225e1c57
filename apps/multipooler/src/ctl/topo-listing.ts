import type { Multipooler } from "@multipooler/proto/clustermetadata";
import { isTopoError } from "@multipooler/topo";
import type { RecordList, TopoError, TopoStore } from "@multipooler/topo";
import { recordName } from "./topo-record.ts";
import type { TopoKind, TopoRecord } from "./topo-record.ts";

/** A cell with its poolers. */
export interface CellListing {
  readonly cell: TopoRecord & { readonly kind: "cell" };
  readonly poolers: readonly (TopoRecord & { readonly kind: "pooler" })[];
}

/** The contents of the topology, as far as they could be read. */
export interface TopoListing {
  readonly cells: readonly CellListing[];
  readonly databases: readonly (TopoRecord & { readonly kind: "database" })[];
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
  const { cells, databases } = topology.global;
  const foundCells = await cells.list();
  const foundDatabases = kinds.includes("database") ? await databases.list() : none;
  const errors = [foundCells.error, foundDatabases.error];
  const listings: CellListing[] = [];
  for (const cell of foundCells.records) {
    const poolers = kinds.includes("pooler") ? await listPoolers(topology, recordName(cell)) : none;
    errors.push(poolers.error);
    listings.push({
      cell: { kind: "cell", ...cell },
      poolers: poolers.records.map((entry) => ({ kind: "pooler", ...entry })),
    });
  }
  return {
    cells: listings,
    databases: foundDatabases.records.map((entry) => ({ kind: "database", ...entry })),
    errors: errors.filter((error) => error !== undefined),
  };
}

/** The records of some kinds: global ones first, then those of each cell. */
export function recordsOf(listing: TopoListing, kinds: readonly TopoKind[]): readonly TopoRecord[] {
  const all: readonly TopoRecord[] = [
    ...listing.cells.map(({ cell }) => cell),
    ...listing.databases,
    ...listing.cells.flatMap(({ poolers }) => poolers),
  ];
  return all.filter(({ kind }) => kinds.includes(kind));
}

async function listPoolers(topology: TopoStore, cell: string): Promise<RecordList<Multipooler>> {
  try {
    return await topology.cell(cell).poolers.list();
  } catch (error) {
    if (!isTopoError(error)) {
      throw error;
    }
    return { records: [], error };
  }
}
