import { date, fields, text } from "./json-fields.ts";

/** Names a shard. */
export interface ShardName {
  readonly database: string;
  readonly tableGroup: string;
  readonly shard: string;
}

/**
 * Which server takes the writes of a shard, by the pooler that claimed it. It outlives that pooler, so
 * that nobody else's server takes writes because a pooler restarts. Only this project reads it: JSON.
 */
export interface ShardPrimary {
  /** The pooler, which the server is told by where that has no name of its own. */
  readonly pooler: { readonly cell: string; readonly name: string };
  /** `host:port` of that pooler, for people. */
  readonly address: string;
  /** The same for all poolers of one server, until that is started again. */
  readonly server: string;
  readonly since: Date;
}

/** A shard as one segment of a key, whatever its names have in them. */
export function shardSegment({ database, tableGroup, shard }: ShardName): string {
  return [database, tableGroup, shard]
    .map((name) => encodeURIComponent(name.toWellFormed()))
    .join(",");
}

export function encodeShardPrimary(primary: ShardPrimary): Uint8Array {
  const { pooler, address, server, since } = primary;
  const { cell, name } = pooler;
  return Buffer.from(
    JSON.stringify({ pooler: { cell, name }, address, server, since: since.toISOString() }),
  );
}

/** Throws for bytes that are none. */
export function decodeShardPrimary(bytes: Uint8Array): ShardPrimary {
  const content: unknown = JSON.parse(Buffer.from(bytes).toString());
  const { pooler, address, server, since } = fields(content);
  const { cell, name } = fields(pooler);
  return {
    pooler: { cell: text(cell), name: text(name) },
    address: text(address),
    server: text(server),
    since: date(since),
  };
}
