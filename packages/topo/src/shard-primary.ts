import { date, fields, text } from "./json-fields.ts";
import { clusterFields, readCluster } from "./shard-cluster.ts";
import type { ShardCluster } from "./shard-cluster.ts";

/** Names a shard. */
export interface ShardName {
  readonly database: string;
  readonly tableGroup: string;
  readonly shard: string;
}

/** What all poolers of a shard agree on. Only this project reads it: JSON. */
export interface ShardState {
  /** `undefined` where nobody takes the writes. */
  readonly primary: ShardPrimary | undefined;
  /** `undefined` where no primary has told it yet. */
  readonly cluster: ShardCluster | undefined;
  /** `undefined` where nobody has claimed the shard in a term yet. */
  readonly term: ShardTerm | undefined;
}

/**
 * The highest term in which a shard was claimed, and by which pooler. It outlives the claim: a term has one
 * leader, and one of an earlier term takes no writes any more.
 */
export interface ShardTerm {
  readonly number: bigint;
  readonly leader: { readonly cell: string; readonly name: string };
}

/**
 * Which server takes the writes of a shard, by the pooler that claimed it. It outlives that pooler, so
 * that nobody else's server takes writes because a pooler restarts.
 */
export interface ShardPrimary {
  /** The pooler, which the server is told by where that has no name of its own. */
  readonly pooler: { readonly cell: string; readonly name: string };
  /** `host:port` of that pooler, for people. */
  readonly address: string;
  /** The same for all poolers of one server, until that is started again. */
  readonly server: string;
  /** Where the server is, as the pooler sees it: the same after a restart. Empty where not known. */
  readonly place: string;
  readonly since: Date;
}

/** A shard as one segment of a key, whatever its names have in them. */
export function shardSegment({ database, tableGroup, shard }: ShardName): string {
  return [database, tableGroup, shard]
    .map((name) => encodeURIComponent(name.toWellFormed()))
    .join(",");
}

export function encodeShardState({ primary, cluster, term }: ShardState): Uint8Array {
  return Buffer.from(
    JSON.stringify({
      ...(primary && { ...primary, since: primary.since.toISOString() }),
      ...(cluster && { cluster: clusterFields(cluster) }),
      ...(term && { term: { ...term, number: String(term.number) } }),
    }),
  );
}

/** Throws for bytes that are none. */
export function decodeShardState(bytes: Uint8Array): ShardState {
  const content: unknown = JSON.parse(Buffer.from(bytes).toString());
  const { pooler, cluster, term, ...primary } = fields(content);
  return {
    primary: pooler === undefined ? undefined : readPrimary({ pooler, ...primary }),
    cluster: cluster === undefined ? undefined : readCluster(cluster),
    term: term === undefined ? undefined : readTerm(term),
  };
}

function readTerm(value: unknown): ShardTerm {
  const { number, leader } = fields(value);
  return { number: BigInt(text(number)), leader: readPooler(leader) };
}

function readPooler(value: unknown): ShardTerm["leader"] {
  const { cell, name } = fields(value);
  return { cell: text(cell), name: text(name) };
}

function readPrimary(content: Readonly<Record<string, unknown>>): ShardPrimary {
  const { pooler, address, server, place, since } = content;
  return {
    pooler: readPooler(pooler),
    address: text(address),
    server: text(server),
    place: place === undefined ? "" : text(place),
    since: date(since),
  };
}
