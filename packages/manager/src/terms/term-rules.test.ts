import { expect, test } from "vitest";
import { ManagerError } from "../manager-error.ts";
import { Component, NO_TERM } from "./consensus-term.ts";
import type { ComponentId, ConsensusTerm } from "./consensus-term.ts";
import { judgeTerm, sameTerm } from "./term-rules.ts";
import type { TermRule, TermStanding } from "./term-rules.ts";

const NUMBERS: Readonly<Record<TermStanding, { requested: bigint; current: bigint }>> = {
  unset: { requested: 5n, current: 0n },
  older: { requested: 4n, current: 5n },
  same: { requested: 5n, current: 5n },
  newer: { requested: 6n, current: 5n },
};

const RECRUITED = 'an operator does that with "multipooler ctl term --set <number>"';

const EXPECTED: Readonly<Record<TermRule, Readonly<Record<TermStanding, string>>>> = {
  "at least": {
    unset:
      "FAILED_PRECONDITION: consensus term not initialized, must be explicitly set via SetTerm (use force=true to bypass): " +
      RECRUITED,
    older:
      "FAILED_PRECONDITION: consensus term too old: request term 4 is less than current term 5",
    same: "current",
    newer: "adopt",
  },
  exactly: {
    unset:
      "FAILED_PRECONDITION: consensus term not initialized, node must be recruited via SetTerm first: " +
      RECRUITED,
    older: "FAILED_PRECONDITION: term mismatch: node not recruited for term 4 (current term is 5)",
    same: "current",
    newer: "FAILED_PRECONDITION: term mismatch: node not recruited for term 6 (current term is 5)",
  },
  "at least, or first": {
    unset: "adopt",
    older:
      "FAILED_PRECONDITION: consensus term too old: request term 4 is less than current term 5; " +
      "only an administrator sets a lower one, and gives a reason (force)",
    same: "current",
    newer: "adopt",
  },
};

const RULES: readonly TermRule[] = ["at least", "exactly", "at least, or first"];
const STANDINGS: readonly TermStanding[] = ["unset", "older", "same", "newer"];

test.each(RULES.flatMap((rule) => STANDINGS.map((standing) => ({ rule, standing }))))(
  "a term that is to be $rule, the current one and is $standing",
  ({ rule, standing }) => {
    const { requested, current } = NUMBERS[standing];
    expect(outcome(() => judgeTerm(rule, requested, current))).toBe(EXPECTED[rule][standing]);
  },
);

const A: ComponentId = { component: Component.Multipooler, cell: "zone1", name: "a" };
const B: ComponentId = { ...A, name: "b" };
const AT = new Date(0);

/** What is known, what is set, and what comes of it: leader, vote. */
const SAME: readonly (readonly [known: string, given: string, outcome: string])[] = [
  ["- -", "- -", "- -"],
  ["- -", "a -", "a -"],
  ["- -", "- b", "- b"],
  ["- -", "a b", "a b"],
  ["a -", "- -", "a -"],
  ["a -", "a -", "a -"],
  ["a -", "- a", "a a"],
  ["a b", "- -", "a b"],
  ["a b", "a -", "a b"],
  ["a -", "b -", "FAILED_PRECONDITION: zone1/a leads term 5 already: zone1/b needs a higher one"],
  [
    "- a",
    "- b",
    "FAILED_PRECONDITION: zone1/a is accepted in term 5 already: zone1/b needs a higher one",
  ],
];

test.each(SAME)(
  "a term with (leader, vote) %j that is set once more as %j",
  (known, given, all) => {
    expect(outcome(() => textOf(sameTerm(termOf(known), termOf(given))))).toBe(all);
  },
);

test("a vote that is set once more keeps its time", () => {
  const known = termOf("- a");
  expect(sameTerm(known, { ...known, acceptedAt: new Date(7) }).acceptedAt).toEqual(AT);
});

function termOf(text: string): ConsensusTerm {
  const [leader, acceptedLeader] = text.split(" ").map((name) => ({ a: A, b: B })[name]);
  const acceptedAt = acceptedLeader && AT;
  return { ...NO_TERM, number: 5n, leader, acceptedLeader, acceptedAt };
}

function textOf({ leader, acceptedLeader }: ConsensusTerm): string {
  return `${leader?.name ?? "-"} ${acceptedLeader?.name ?? "-"}`;
}

function outcome(judge: () => string): string {
  try {
    return judge();
  } catch (error) {
    if (error instanceof ManagerError) {
      return `${error.code}: ${error.message}`;
    }
    throw error;
  }
}
