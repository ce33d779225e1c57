/**
 * The type in a pooler's topology record. Whoever administers the shard sets it; the manager
 * derives the role from it and never changes it.
 */
export const PoolerType = {
  Unknown: "UNKNOWN",
  Primary: "PRIMARY",
  Replica: "REPLICA",
  Drained: "DRAINED",
} as const;
export type PoolerType = (typeof PoolerType)[keyof typeof PoolerType];

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
