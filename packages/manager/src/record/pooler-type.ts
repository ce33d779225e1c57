import { PoolerType as RecordType } from "@multipooler/topo";

/**
 * The type in a pooler's topology record, by its name there. The administrator of the shard sets
 * it; the manager derives the role from it, and gives one only to the first pooler of a shard.
 */
export const PoolerType = {
  Unknown: "UNKNOWN",
  Primary: "PRIMARY",
  Replica: "REPLICA",
  Drained: "DRAINED",
} as const;
export type PoolerType = (typeof PoolerType)[keyof typeof PoolerType];

/** The type by the number that a record holds; one that this version does not know is UNKNOWN. */
export function poolerTypeOf(number: RecordType): PoolerType {
  const found = Object.values(PoolerType).find((type) => RecordType[type] === number);
  return found ?? PoolerType.Unknown;
}

/** Names a pooler. Neither part is empty or contains "_". */
export interface PoolerIdentity {
  readonly cell: string;
  readonly name: string;
}

/** Names the shard that a pooler serves. */
export interface ShardIdentity {
  readonly database: string;
  readonly tableGroup: string;
  readonly shard: string;
}
