import type { TaintSet } from "./taint.ts";

/**
 * What a use of a name does: the bits of `Taint` and the three below, once for any use, once more for a
 * statement that writes and once for one that inserts, since defaults and triggers take part only
 * there.
 */
export type Effect = number;

/** May wait for a lock, or writes, or takes its time. */
export const WAITS = 128;

/** Changes the cluster, its files or its configuration. */
export const ADMINISTERS = 256;

/** Writes although its transaction is read-only. */
export const WRITES_UNSEEN = 512;

const TAINTS = WAITS - 1;
const BITS = 10;
const MASK = (1 << BITS) - 1;

/** What happens at any use. */
export function onUse(effect: Effect): Effect {
  return effect & MASK;
}

/** Moves what `effect` does at any use to statements that write. */
export function onWrite(effect: Effect): Effect {
  return onUse(effect) << BITS;
}

/** Moves what `effect` does at any use to statements that insert. */
export function onInsert(effect: Effect): Effect {
  return onUse(effect) << (2 * BITS);
}

/** Everything that `effect` does in any statement, as something that happens at any use. */
export function atWorst(effect: Effect): Effect {
  return onUse(effect | (effect >> BITS) | (effect >> (2 * BITS)));
}

/** What `effect` does in statements that write, as something that happens at any use. */
export function ofWrites(effect: Effect): Effect {
  return onUse(effect >> BITS);
}

/** What `effect` does in a statement of this kind, as something that happens at any use. */
export function effectIn(effect: Effect, { writes, inserts }: StatementKind): Effect {
  return onUse(
    effect | (writes ? effect >> BITS : 0) | (writes && inserts ? effect >> (2 * BITS) : 0),
  );
}

/** Which parts of an {@link Effect} count. */
export interface StatementKind {
  readonly writes: boolean;
  readonly inserts: boolean;
}

/** The bits of `Taint` in what happens at any use. */
export function taintOf(effect: Effect): TaintSet {
  return effect & TAINTS;
}
