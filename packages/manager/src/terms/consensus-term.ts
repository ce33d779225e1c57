import type { PoolerIdentity } from "../record/pooler-type.ts";

/** The kinds of processes that a term can name, as in ids of the topology. */
export const Component = {
  Unknown: "UNKNOWN",
  Multipooler: "MULTIPOOLER",
  Multigateway: "MULTIGATEWAY",
  Multiorch: "MULTIORCH",
} as const;
export type Component = (typeof Component)[keyof typeof Component];

/** Names one process of the cluster. */
export interface ComponentId {
  readonly component: Component;
  readonly cell: string;
  readonly name: string;
}

/** What a pooler knows of the terms of its shard. */
export interface ConsensusTerm {
  /** 0: none was ever set. */
  readonly number: bigint;
  /** Whom this pooler has accepted as candidate of the term. */
  readonly acceptedLeader: ComponentId | undefined;
  readonly acceptedAt: Date | undefined;
  /** The pooler that takes the writes in this term, as far as this one knows. */
  readonly leader: ComponentId | undefined;
}

/** Before anybody set one. */
export const NO_TERM: ConsensusTerm = {
  number: 0n,
  acceptedLeader: undefined,
  acceptedAt: undefined,
  leader: undefined,
};

/** A term that was just adopted: nobody is accepted in it, and nobody leads it. */
export function newTerm(number: bigint): ConsensusTerm {
  return { ...NO_TERM, number };
}

/** The id of a pooler. */
export function poolerComponent({ cell, name }: PoolerIdentity): ComponentId {
  return { component: Component.Multipooler, cell, name };
}

/** Compares the whole ids. */
export function sameComponent(a: ComponentId | undefined, b: ComponentId | undefined): boolean {
  return a?.component === b?.component && a?.cell === b?.cell && a?.name === b?.name;
}
