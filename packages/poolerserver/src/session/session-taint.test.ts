import { expect, test } from "vitest";
import type { Classification } from "../classification/classification.ts";
import { Taint } from "../classification/taint.ts";
import type { TaintSet } from "../classification/taint.ts";
import { SessionTaint } from "./session-taint.ts";

const ALL = ~Taint.None;

function classified(taint: TaintSet, certainTaint: TaintSet): Classification {
  return {
    statements: 1,
    sharing: "exclusive",
    taint,
    certainTaint,
    ddl: false,
    copy: undefined,
    opensTransaction: false,
    endsTransaction: false,
    deallocates: false,
    makesTemporary: false,
    setsLocally: false,
    escapes: undefined,
  };
}

const DOUBTFUL = classified(Taint.Unknown, Taint.None);

/** A catalog that was read when it had changed so often. */
function readingOf(known: number, left: Readonly<Record<string, TaintSet>> = {}) {
  return {
    changes: known,
    taintSince: (text: string, changes: number) =>
      changes > known ? undefined : (left[text] ?? Taint.None),
  };
}

test("a text in doubt is judged by a reading that has seen what it has", () => {
  const taint = new SessionTaint();
  taint.addText({ text: "a", mask: ALL, classification: DOUBTFUL }, 3);
  expect(taint.all).toBe(Taint.Unknown);
  taint.review(readingOf(2));
  expect(taint.all).toBe(Taint.Unknown);
  taint.review(readingOf(3));
  expect(taint.all).toBe(Taint.None);
  expect(taint.doubts).toBe(0);
});

test("what the reading tells of a text stays, but for what can be carried along", () => {
  const taint = new SessionTaint();
  const mask = ~Taint.Settings;
  taint.addText({ text: "a", mask, classification: DOUBTFUL }, 1);
  taint.review(readingOf(1, { a: Taint.Settings | Taint.Seed }));
  expect(taint.all).toBe(Taint.Seed);
});

test("texts of one judgement are one doubt, as of the last run", () => {
  const taint = new SessionTaint();
  for (let changes = 1; changes <= 2000; changes += 1) {
    taint.addText({ text: `a ${changes}`, mask: ALL, classification: DOUBTFUL }, changes);
  }
  expect(taint.doubts).toBe(1);
  taint.review(readingOf(1999));
  expect(taint.doubts).toBe(1);
  taint.review(readingOf(2000));
  expect(taint.all).toBe(Taint.None);
});

test("beside something that is certain no doubt is kept", () => {
  const taint = new SessionTaint();
  taint.addText({ text: "a", mask: ALL, classification: classified(Taint.State, Taint.State) }, 1);
  taint.addText({ text: "b", mask: ALL, classification: DOUBTFUL }, 1);
  expect(taint.doubts).toBe(0);
  expect(taint.all).toBe(Taint.Unknown);
});

test("locks are asked for once nothing else is in doubt", () => {
  const taint = new SessionTaint();
  taint.add(Taint.Locks);
  taint.addText({ text: "b", mask: ALL, classification: DOUBTFUL }, 1);
  expect(taint.doubts).toBe(1);
  taint.review(readingOf(1));
  expect(taint.all).toBe(Taint.Locks);
});

test("what is too much to remember counts as left", () => {
  const taint = new SessionTaint();
  for (let n = 0; n < 1025; n += 1) {
    const classification = classified(Taint.Unknown, Taint.None);
    taint.addText({ text: `a ${n}`, mask: ALL, classification }, 1);
  }
  expect(taint.doubts).toBe(1024);
  taint.review(readingOf(1));
  expect(taint.all).toBe(Taint.Unknown);
  taint.keepOnly(Taint.None);
  expect(taint.all).toBe(Taint.None);
});
