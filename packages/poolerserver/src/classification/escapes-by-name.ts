import type { ReadOnlyEscapes } from "../read-only-guard.ts";
import { ADMINISTERS, WRITES_UNSEEN, effectIn } from "./effect.ts";
import type { Effect } from "./effect.ts";
import { ESCAPING_FUNCTIONS } from "./escaping-functions.ts";
import type { KnownEffects } from "./known-effects.ts";
import { Taint } from "./taint.ts";
import type { TextFacts } from "./text-facts.ts";

const EITHER = ADMINISTERS | WRITES_UNSEEN;

/**
 * Says which names in a text reach something that a read-only transaction does not stop: functions
 * of PostgreSQL and of known extensions, and functions, views and operators of users that lead there.
 * `undefined` if none does. A DO whose code cannot be read may lead anywhere.
 */
export function escapesByName(
  facts: TextFacts,
  known: KnownEffects | undefined,
): ReadOnlyEscapes | undefined {
  const found = new Map<Effect, string>();
  for (const name of facts.calls) {
    note(found, ESCAPING_FUNCTIONS.get(name) ?? 0, name);
  }
  if (known !== undefined) {
    for (const name of facts.names) {
      note(found, effectIn(known.names.get(name) ?? 0, facts), `what stands behind ${name}`);
    }
    for (const operator of facts.operators) {
      const effect = effectIn(known.operators.get(operator) ?? 0, facts);
      note(found, effect, `what stands behind ${operator}`);
    }
  }
  note(found, facts.writesUnseen ? WRITES_UNSEEN : 0, "EXPLAIN of a statement that makes a table");
  note(found, isUnreadable(facts) ? ADMINISTERS : 0, "DO with code that cannot be read");
  return found.size === 0
    ? undefined
    : { administration: found.get(ADMINISTERS), writing: found.get(WRITES_UNSEEN) };
}

function note(found: Map<Effect, string>, effect: Effect, what: string): void {
  if ((effect & EITHER) === 0) {
    return;
  }
  for (const kind of [ADMINISTERS, WRITES_UNSEEN]) {
    if ((effect & kind) !== 0 && !found.has(kind)) {
      found.set(kind, what);
    }
  }
}

/** It runs SQL that it makes itself, or hides names. */
function isUnreadable({ runsCode, isDynamic, hidesName, taint }: TextFacts): boolean {
  return runsCode && (isDynamic || hidesName || (taint & Taint.Lasting) !== 0);
}
