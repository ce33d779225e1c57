import { expect, test } from "vitest";
import { ManagerError } from "../manager-error.ts";
import { judgeTerm } from "./term-rules.ts";
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
};

const RULES: readonly TermRule[] = ["at least", "exactly"];
const STANDINGS: readonly TermStanding[] = ["unset", "older", "same", "newer"];

test.each(RULES.flatMap((rule) => STANDINGS.map((standing) => ({ rule, standing }))))(
  "a term that must be $rule the current one and is $standing",
  ({ rule, standing }) => {
    const { requested, current } = NUMBERS[standing];
    expect(outcome(() => judgeTerm(rule, requested, current))).toBe(EXPECTED[rule][standing]);
  },
);

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
