import { expect, test } from "vitest";
import { Taint } from "../classification/taint.ts";
import type { Classification, Sharing } from "../classification/classification.ts";
import { ShortReads } from "./short-reads.ts";
import type { ReadRun, ShortRead } from "./short-reads.ts";

const SHORT: ReadRun = { bytes: 100, tookMs: 0.5 };
const LONG: ReadRun = { bytes: 100, tookMs: 30 };
const LARGE: ReadRun = { bytes: 100_000, tookMs: 0.5 };

function classified(sharing: Sharing): Classification {
  return {
    sharing,
    statements: 1,
    taint: Taint.None,
    certainTaint: Taint.None,
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

function ran(...runs: ReadRun[]): ShortRead | undefined {
  const read = new ShortReads().of(classified("shareable"));
  for (const run of runs) {
    read?.ranAlone(run);
  }
  return read;
}

const times = (count: number, run: ReadRun): ReadRun[] => Array.from({ length: count }, () => run);

test.each<[Sharing, boolean]>([
  ["shareable", true],
  ["mayWait", false],
  ["exclusive", false],
])("of what is %s something is learned: %s", (sharing, isLearned) => {
  expect(new ShortReads().of(classified(sharing)) !== undefined).toBe(isLearned);
});

test("statements that are judged alike are known together", () => {
  const reads = new ShortReads();
  const one = classified("shareable");
  expect(reads.of(one)).toBe(reads.of(one));
  expect(reads.of(one)).not.toBe(reads.of(classified("shareable")));
});

test.each<[string, ReadRun[], boolean]>([
  ["nothing", [], false],
  ["15 short runs", times(15, SHORT), false],
  ["16 short runs", times(16, SHORT), true],
  ["a long run among them", [...times(10, SHORT), LONG, ...times(15, SHORT)], false],
  ["16 short runs after a long one", [LONG, ...times(16, SHORT)], true],
  ["a large result, once", [LARGE, ...times(50, SHORT)], false],
])("after %s it is known to be short: %s", (_, runs, isShort) => {
  expect(ran(...runs)?.isShort).toBe(isShort);
});

test("a large result on a shared backend is the last one there", () => {
  const read = ran(...times(16, SHORT));
  read?.ranShared(100);
  expect(read?.isShort).toBe(true);
  read?.ranShared(100_000);
  expect(read?.isShort).toBe(false);
});
