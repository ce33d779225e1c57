import { toSqlText } from "@multipooler/pgwire";
import { EXTENSION_TAINTS, HARMLESS_EXTENSIONS } from "./builtin-functions.ts";
import type { Row } from "./catalog-rows.ts";
import { nameOf, textOf } from "./catalog-rows.ts";
import { WAITS, WRITES_UNSEEN } from "./effect.ts";
import type { Effect } from "./effect.ts";
import { ESCAPING_FUNCTIONS } from "./escaping-functions.ts";
import type { CatalogObject } from "./effect-graph.ts";
import { effectOfCalls, effectOfNames } from "./known-effects.ts";
import type { KnownEffects } from "./known-effects.ts";
import { Taint } from "./taint.ts";
import type { TextFacts } from "./text-facts.ts";
import { readBody } from "./text-reader.ts";

/** A function of a user, as far as it can be seen without knowing the others. */
export interface UserFunction {
  readonly object: CatalogObject;
  /** What it does whatever its code names. */
  readonly effect: Effect;
  /** Its code, if that is text that can be read. */
  readonly facts: TextFacts | undefined;
}

const UNKNOWN: Effect = Taint.Unknown | WAITS;

/**
 * Reads a row of `USER_FUNCTIONS`. Functions in SQL and PL/pgSQL are judged by their code. Those in C
 * are believed what they are declared as: only a volatile one may do anything, unless its extension
 * is known. One in another language may do so unless it is declared immutable.
 */
export function userFunctionOf(row: Row, builtins: ReadonlyMap<string, Effect>): UserFunction {
  const object: CatalogObject = { kind: "function", oid: textOf(row, "oid") };
  const isVolatile = textOf(row, "volatility") === "v";
  const waits = isVolatile ? WAITS : 0;
  const source = textOf(row, "source");
  // What is parsed already, or put together of other functions, is known by its dependencies.
  if (textOf(row, "isParsed") === "true" || textOf(row, "kind") === "a") {
    return { object, effect: waits, facts: undefined };
  }
  switch (textOf(row, "language")) {
    case "sql":
    case "plpgsql":
      return { object, effect: waits, facts: readBody(toSqlText(source)) };
    case "internal":
      return { object, effect: waits | (builtins.get(source) ?? 0), facts: undefined };
    case "c": {
      const name = nameOf(row);
      const known = EXTENSION_TAINTS.get(name);
      const isHarmless = !isVolatile || HARMLESS_EXTENSIONS.has(textOf(row, "extension"));
      const taint = known ?? (isHarmless ? 0 : UNKNOWN);
      const escape = ESCAPING_FUNCTIONS.get(name) ?? 0;
      return { object, effect: waits | taint | escape, facts: undefined };
    }
    default: {
      const isImmutable = textOf(row, "volatility") === "i";
      return { object, effect: isImmutable ? 0 : UNKNOWN, facts: undefined };
    }
  }
}

/** What the code of a function does, given what is known of the names in it. */
export function effectOfBody(facts: TextFacts, known: KnownEffects): Effect {
  const waits =
    facts.writes ||
    facts.locksRows ||
    [...facts.calls].some((call) => known.waitingCalls.has(call));
  const isOpen = facts.isDynamic || facts.hidesName;
  return (
    facts.taint |
    effectOfCalls(facts) |
    effectOfNames(facts, known) |
    (waits ? WAITS : 0) |
    (facts.writesUnseen ? WRITES_UNSEEN : 0) |
    (isOpen ? UNKNOWN : 0)
  );
}
