import { atWorst, ofWrites, onInsert, onUse, onWrite } from "./effect.ts";
import type { Effect } from "./effect.ts";

/** What can have an effect: an object of the catalog, or all statements, or all that change it. */
export type ObjectKind = "relation" | "function" | "operator" | "type" | "anything" | "ddl";

/** How an object takes part in what another one does; the table is at `USERS`. */
export type Usage = "same" | "use" | "worst" | "write" | "insert" | "cascade";

/** An object of the catalog. */
export interface CatalogObject {
  readonly kind: ObjectKind;
  readonly oid: string;
}

/** `user` uses the object that the edge belongs to. */
export interface UsageEdge {
  readonly usage: Usage;
  readonly user: CatalogObject;
}

/** What an object does that uses another one with `effect`. */
export function effectThrough(usage: Usage, effect: Effect): Effect {
  switch (usage) {
    case "same":
      return effect;
    case "use":
      return onUse(effect);
    case "worst":
      return atWorst(effect);
    case "write":
      return onWrite(atWorst(effect));
    case "insert":
      return onInsert(atWorst(effect));
    case "cascade":
      return onWrite(ofWrites(effect));
  }
}

/** What is to be found out of an object that has an effect. */
export interface Surroundings {
  /** In the form of `toSqlText`. */
  readonly name: string;
  readonly users: readonly UsageEdge[];
}

interface Node {
  readonly object: CatalogObject;
  effect: Effect;
  surroundings: Surroundings | undefined;
}

/** Spreads effects from objects to those that use them, up to the last one. */
export class EffectGraph {
  readonly #nodes = new Map<string, Node>();
  /** Nodes whose effect has grown since it was passed on. */
  readonly #grown = new Set<Node>();
  readonly #names = new Map<string, Effect>();
  readonly #operators = new Map<string, Effect>();
  #anything: Effect = 0;
  #ddl: Effect = 0;

  /** What each name of a relation, function or type does. */
  get names(): ReadonlyMap<string, Effect> {
    return this.#names;
  }

  get operators(): ReadonlyMap<string, Effect> {
    return this.#operators;
  }

  get anything(): Effect {
    return this.#anything;
  }

  get ddl(): Effect {
    return this.#ddl;
  }

  /** `object` does this too. Returns whether that is news. */
  add(object: CatalogObject, effect: Effect): boolean {
    const key = keyOf(object);
    const node = this.#nodes.get(key) ?? { object, effect: 0, surroundings: undefined };
    if ((node.effect | effect) === node.effect) {
      return false;
    }
    node.effect |= effect;
    this.#nodes.set(key, node);
    this.#grown.add(node);
    this.#publish(node);
    return true;
  }

  /** Passes on what can be. Returns the objects whose surroundings have to be found out for more. */
  spread(): CatalogObject[] {
    const unknown: CatalogObject[] = [];
    // Nodes that grow while this goes on come up in the same loop.
    for (const node of this.#grown) {
      if (node.surroundings === undefined) {
        unknown.push(node.object);
        continue;
      }
      this.#grown.delete(node);
      for (const { usage, user } of node.surroundings.users) {
        this.add(user, effectThrough(usage, node.effect));
      }
    }
    return unknown;
  }

  /** Places `object` among others. */
  place(object: CatalogObject, surroundings: Surroundings): void {
    const node = this.#nodes.get(keyOf(object));
    if (node !== undefined) {
      node.surroundings = surroundings;
      this.#publish(node);
    }
  }

  #publish({ object: { kind }, effect, surroundings }: Node): void {
    const name = surroundings?.name ?? "";
    switch (kind) {
      case "relation":
      case "function":
      case "type":
        this.#names.set(name, (this.#names.get(name) ?? 0) | effect);
        return;
      case "operator":
        this.#operators.set(name, (this.#operators.get(name) ?? 0) | effect);
        return;
      case "anything":
        this.#anything |= effect;
        return;
      case "ddl":
        this.#ddl |= effect;
        return;
    }
  }
}

/** Tells objects apart. */
export function keyOf({ kind, oid }: { readonly kind: string; readonly oid: string }): string {
  return `${kind} ${oid}`;
}
