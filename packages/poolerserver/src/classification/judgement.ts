import { words } from "./builtin-functions.ts";
import type { Classification, Sharing } from "./classification.ts";
import { escapesByName } from "./escapes-by-name.ts";
import { WAITS, taintOf } from "./effect.ts";
import { effectOfCalls, effectOfNames } from "./known-effects.ts";
import type { KnownEffects } from "./known-effects.ts";
import { Taint } from "./taint.ts";
import type { TaintSet } from "./taint.ts";
import type { TextFacts } from "./text-facts.ts";

/** Without calls and operators, nothing that is made of these words has to do with the catalog. */
const WORDS_WITHOUT_CATALOG = new Set(
  words(`abort begin chain commit committed deferrable end isolation level no only read release
  repeatable rollback savepoint select serializable start to transaction uncommitted work write`),
);

/** What the catalog knows, and whether that is how it is now. */
export interface Knowledge {
  readonly known: KnownEffects;
  readonly isCurrent: boolean;
}

/**
 * Judges a text by its words and what the catalog knows of them. Where that is not current, or not
 * known at all, any name may do whatever can be taken away again.
 */
export function judge(facts: TextFacts, knowledge: Knowledge | undefined): Classification {
  const known = knowledge?.known;
  const effect = effectOfCalls(facts) | (known === undefined ? 0 : effectOfNames(facts, known));
  const isOpen = facts.isDynamic || facts.hidesName;
  const isDoubtful = knowledge?.isCurrent !== true && !isWithoutCatalog(facts);
  const certainTaint = facts.taint | taintOf(effect) | (isOpen ? Taint.Unknown : Taint.None);
  const taint = certainTaint | (isDoubtful ? Taint.Unknown : Taint.None);
  return {
    statements: facts.statements,
    sharing: sharingOf(facts, taint, (effect & WAITS) !== 0 || mayWait(facts, known)),
    taint,
    certainTaint,
    ddl: facts.ddl,
    copy: facts.copy,
    opensTransaction: facts.opensTransaction,
    endsTransaction: facts.endsTransaction,
    deallocates: facts.deallocates,
    makesTemporary: facts.makesTemporary,
    setsLocally: facts.setsLocally,
    escapes: escapesByName(facts, known),
  };
}

function sharingOf(facts: TextFacts, taint: TaintSet, waits: boolean): Sharing {
  if (taint !== Taint.None || facts.isAlone || facts.setsLocally || facts.statements > 1) {
    return "exclusive";
  }
  return waits ? "mayWait" : "shareable";
}

function mayWait(facts: TextFacts, known: KnownEffects | undefined): boolean {
  if (facts.writes || facts.locksRows) {
    return true;
  }
  for (const name of facts.calls) {
    if (known?.waitingCalls.has(name) === true) {
      return true;
    }
  }
  return false;
}

function isWithoutCatalog({ names, calls, operators }: TextFacts): boolean {
  return (
    calls.size === 0 &&
    operators.size === 0 &&
    [...names].every((name) => WORDS_WITHOUT_CATALOG.has(name))
  );
}
