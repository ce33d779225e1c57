import { ID_ComponentType, PoolerType, TopoErrorCode, isTopoError } from "@multipooler/topo";
import type { ID, TopoStore } from "@multipooler/topo";
import type { PoolerIdentity } from "./pooler-type.ts";

/**
 * Whether a pooler that once was the primary of its shard is none any more and cannot become it: its
 * record has another type, or is gone, and no process has its name. Rejects with the error of a
 * store that does not answer.
 */
export async function isRetired(
  topology: TopoStore,
  { cell, name }: PoolerIdentity,
  signal: AbortSignal,
): Promise<boolean> {
  const { poolers } = topology.cell(cell);
  const id = idOf({ cell, name });
  const type = await orAbsent(async () => (await poolers.get(id, { signal })).record.type);
  return type !== PoolerType.PRIMARY && !(await hasOwner(topology, { cell, name }, signal));
}

/** Whether a process has the name of a pooler. */
export async function hasOwner(
  topology: TopoStore,
  pooler: PoolerIdentity,
  signal: AbortSignal,
): Promise<boolean> {
  const { owners } = topology.cell(pooler.cell);
  return (await orAbsent(() => owners.get(idOf(pooler), { signal }))) !== undefined;
}

function idOf({ cell, name }: PoolerIdentity): ID {
  return { component: ID_ComponentType.MULTIPOOLER, cell, name };
}

async function orAbsent<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isTopoError(error, TopoErrorCode.NoNode)) {
      return undefined;
    }
    throw error;
  }
}
