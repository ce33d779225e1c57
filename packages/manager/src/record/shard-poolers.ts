import type { RecordList, TopoStore } from "@multipooler/topo";
import type { PoolerDescription } from "../manager-options.ts";
import { PoolerType, poolerTypeOf } from "./pooler-type.ts";
import { shardName } from "./pooler-record.ts";

/** A pooler that somebody has given a type. */
export interface TypedPooler {
  /** `<cell>/<name>` */
  readonly name: string;
  readonly type: PoolerType;
}

/**
 * Another pooler of the same shard, in any cell, that has a type. Rejects with the error of a store
 * that does not answer: what is not seen may be the primary.
 */
export async function typedPoolerOf(
  topology: TopoStore,
  { identity, shard }: PoolerDescription,
  signal: AbortSignal,
): Promise<TypedPooler | undefined> {
  for (const cell of await all(topology.global.cells.list({ signal }))) {
    for (const record of await all(topology.cell(cell.name).poolers.list({ signal }))) {
      const { id, shardKey } = record;
      const isOwn = id?.cell === identity.cell && id.name === identity.name;
      const type = poolerTypeOf(record.type);
      if (!isOwn && type !== PoolerType.Unknown && shardName(shardKey) === shardName(shard)) {
        return { name: `${id?.cell}/${id?.name}`, type };
      }
    }
  }
  return undefined;
}

async function all<T>(listing: Promise<RecordList<T>>): Promise<readonly T[]> {
  const { records, error } = await listing;
  if (error !== undefined) {
    throw error;
  }
  return records.map(({ record }) => record);
}
