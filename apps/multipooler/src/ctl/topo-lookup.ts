import { ID_ComponentType, unlessAbsent } from "@multipooler/topo";
import type { ID, PoolerOwner, ShardName, TopoStore } from "@multipooler/topo";
import type { RecordName } from "./topo-name.ts";
import { recordName, shardNames } from "./topo-record.ts";
import type { TopoRecord } from "./topo-record.ts";

/** The record of that name; `undefined` where there is none, or none under that very key. */
export async function findRecord(
  topology: TopoStore,
  name: RecordName,
): Promise<TopoRecord | undefined> {
  const found = await find(topology, name);
  // A key can be well-formed and still have another root than the records.
  return name.key === undefined || name.key === found?.key ? found : undefined;
}

/** The process that has the name of a pooler; `undefined` where none has. */
export async function findOwner(
  topology: TopoStore,
  { cell, name }: { readonly cell: string; readonly name: string },
): Promise<PoolerOwner | undefined> {
  const { owners } = topology.cell(cell);
  return unlessAbsent(async () => (await owners.get(poolerId(cell, name))).record);
}

/** A shard from the last folder of its key. */
export function shardOf(segment: string): ShardName {
  const [database = "", tableGroup = "", shard = ""] = shardNames(segment);
  return { database, tableGroup, shard };
}

async function find(
  topology: TopoStore,
  { kind, name }: RecordName,
): Promise<TopoRecord | undefined> {
  const { cells, databases, primaries } = topology.global;
  switch (kind) {
    case "cell":
      return unlessAbsent(async () => ({ kind, ...(await cells.get(name)) }));
    case "database":
      return unlessAbsent(async () => ({ kind, ...(await databases.get(name)) }));
    case "shard":
      return unlessAbsent(async () => ({ kind, ...(await primaries.get(shardOf(name))) }));
    case "pooler": {
      const [cell = "", short] = name.split("/");
      if (short !== undefined) {
        return findPooler(topology, cell, short);
      }
      return findPoolerById(topology, name);
    }
  }
}

/** A cell's name may contain dashes, so the cell of an id is found by comparing with all cells. */
async function findPoolerById(topology: TopoStore, id: string): Promise<TopoRecord | undefined> {
  const { records: cells } = await topology.global.cells.list();
  for (const cell of cells.map(recordName)) {
    const prefix = `multipooler-${cell}-`;
    if (!id.startsWith(prefix)) {
      continue;
    }
    const found = await findPooler(topology, cell, id.slice(prefix.length));
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}

async function findPooler(
  topology: TopoStore,
  cell: string,
  name: string,
): Promise<TopoRecord | undefined> {
  const { poolers } = topology.cell(cell);
  const entry = await unlessAbsent(() => poolers.get(poolerId(cell, name)));
  if (entry === undefined) {
    return undefined;
  }
  const isAlive = (await findOwner(topology, { cell, name })) !== undefined;
  return { kind: "pooler", ...entry, isAlive };
}

function poolerId(cell: string, name: string): ID {
  return { component: ID_ComponentType.MULTIPOOLER, cell, name };
}
