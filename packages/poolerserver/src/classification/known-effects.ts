import { BUILTIN_TAINTS, EXTENSION_TAINTS } from "./builtin-functions.ts";
import { effectIn } from "./effect.ts";
import type { Effect } from "./effect.ts";
import { ESCAPING_FUNCTIONS } from "./escaping-functions.ts";
import type { TextFacts } from "./text-facts.ts";

/** What the names of a database do, as far as they do anything. In the form of `toSqlText`. */
export interface KnownEffects {
  /** Relations, types and functions of users. */
  readonly names: ReadonlyMap<string, Effect>;
  readonly operators: ReadonlyMap<string, Effect>;
  /** Functions of pg_catalog that may wait. */
  readonly waitingCalls: ReadonlySet<string>;
  /** What any statement does: an implicit cast, say. */
  readonly anything: Effect;
  /** What event triggers do. */
  readonly ddl: Effect;
}

/** What a text does by the names in it, without those that only the catalog knows. */
export function effectOfCalls({ calls }: TextFacts): Effect {
  let effect: Effect = 0;
  for (const name of calls) {
    effect |= (BUILTIN_TAINTS.get(name) ?? 0) | (EXTENSION_TAINTS.get(name) ?? 0);
    effect |= ESCAPING_FUNCTIONS.get(name) ?? 0;
  }
  return effect;
}

/** What a text does by the names in it. */
export function effectOfNames(facts: TextFacts, known: KnownEffects): Effect {
  let effect = known.anything | (facts.defines ? known.ddl : 0);
  for (const name of facts.names) {
    effect |= known.names.get(name) ?? 0;
  }
  for (const operator of facts.operators) {
    effect |= known.operators.get(operator) ?? 0;
  }
  return effectIn(effect, facts);
}
