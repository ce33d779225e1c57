import { expect, test } from "vitest";
import { outcomeText } from "./switchover-outcome.ts";
import type { SwitchoverOutcome } from "./switchover-outcome.ts";

const NOT_SERVING = { code: "DRAINED", reason: "drained by an operator: works" };

interface Case {
  readonly isPromoted?: boolean;
  readonly gapMs?: number;
  readonly notServing?: SwitchoverOutcome["notServing"];
  readonly text: string;
}

const FOLLOWS = "in term 2, and a:1 follows it at db2:5432.";

const CASES: Readonly<Record<string, Case>> = {
  "one that began and ended": {
    gapMs: 412,
    text: `b:1 is the primary ${FOLLOWS} No writes were taken for 412 ms.\n`,
  },
  "one that went on": { text: `b:1 is the primary ${FOLLOWS}\n` },
  "one that had ended": {
    isPromoted: true,
    text: `b:1 is the primary already ${FOLLOWS}\n`,
  },
  "one to a pooler that does not serve": {
    gapMs: 412,
    notServing: NOT_SERVING,
    text: `b:1 is promoted ${FOLLOWS}\n`,
  },
  "one that had ended, to a pooler that does not serve": {
    isPromoted: true,
    notServing: NOT_SERVING,
    text: `b:1 is promoted already ${FOLLOWS}\n`,
  },
};

test.each(Object.entries(CASES))(
  "%s is told",
  (_, { isPromoted = false, gapMs, notServing, text }) => {
    const plan = { term: 2n, postgres: { host: "db2", port: 5432 }, isPromoted };
    expect(outcomeText({ from: "a:1", to: "b:1", plan, gapMs, notServing })).toBe(text);
  },
);
