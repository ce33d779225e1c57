import { sleep } from "@multipooler/timing";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { failureOf, settled } from "../../test/settled.ts";
import { silentLogger } from "../../test/silent-logger.ts";
import type { AdminQuery } from "../classification/catalog-rows.ts";
import { Classifier } from "../classification/classifier.ts";
import { CatalogWatch } from "./catalog-watch.ts";

function setUp(options: { fails?: boolean; hangs?: boolean; sleeps?: boolean } = {}): {
  watch: CatalogWatch;
  clock: ManualClock;
  /** How often the catalog was asked for something. */
  asked: () => number;
  /** How often it was read. */
  read: () => number;
} {
  const clock = new ManualClock();
  let asked = 0;
  let read = 0;
  const classifier = new Classifier({
    admin: async (_sql, _values, { signal }) => {
      asked += 1;
      if (options.fails === true) {
        throw new Error("nobody answers");
      }
      if (options.hangs === true) {
        const { promise, reject } = Promise.withResolvers<never>();
        signal?.addEventListener("abort", () => reject(signal.reason));
        return await promise;
      }
      return [];
    },
  });
  const watch = new CatalogWatch({
    classifier,
    clock,
    logger: silentLogger,
    onRead: () => (read += 1),
    sleeps: options.sleeps,
  });
  return { watch, clock, asked: () => asked, read: () => read };
}

const NEVER = new AbortController().signal;
/** How long one answer of a slow catalog takes; a reading of the same catalog is one. */
const ANSWER_MS = 10;

test("the catalog is read at the opening, every 30 s, and after a statement that may change it", async () => {
  const { watch, clock, asked, read } = setUp();
  await watch.open(NEVER);
  expect(read()).toBe(1);
  const atOpening = asked();
  expect(atOpening).toBeGreaterThan(0);
  await clock.advance(29_999);
  expect(asked()).toBe(atOpening);
  await clock.advance(1);
  const afterAWhile = asked();
  expect(afterAWhile).toBeGreaterThan(atOpening);
  watch.noteDdl();
  await settled();
  expect(asked()).toBeGreaterThan(afterAWhile);
  expect(read()).toBe(3);
  await watch.close();
  expect(clock.pending).toBe(0);
});

test("a catalog that cannot be read does not fail the opening, and is tried again soon", async () => {
  const { watch, clock, asked } = setUp({ fails: true });
  await watch.open(NEVER);
  const atOpening = asked();
  await clock.advance(2000);
  expect(asked()).toBeGreaterThan(atOpening);
  await watch.close();
});

test("an opening that is given up rejects, and close ends what is being read", async () => {
  const { watch, clock } = setUp({ hangs: true });
  const controller = new AbortController();
  const opening = failureOf(watch.open(controller.signal));
  controller.abort();
  expect(await opening).toMatchObject({ code: "CANCELLED" });
  await watch.close();
  expect(clock.pending).toBe(0);
});

test("a catalog that does not answer is waited for 10 s at the opening, and later 5 s", async () => {
  const { watch, clock, asked } = setUp({ hangs: true });
  let isOpen = false;
  const opening = watch.open(NEVER).then(() => (isOpen = true));
  await clock.advance(9999);
  expect(isOpen).toBe(false);
  await clock.advance(1);
  await opening;
  await clock.advance(2000);
  const atRetry = asked();
  await clock.advance(5000);
  await clock.advance(2000);
  expect(asked()).toBeGreaterThan(atRetry);
  await watch.close();
});

test("one that sleeps reads nothing before there is something to classify", async () => {
  const { watch, clock, asked } = setUp({ sleeps: true });
  await watch.open(NEVER);
  watch.classify("select f()");
  const atOpening = asked();
  await clock.advance(30_000);
  const afterUse = asked();
  expect(afterUse).toBeGreaterThan(atOpening);
  await clock.advance(300_000);
  expect(asked()).toBe(afterUse);
  // What others have changed meanwhile is not known: everything that could matter counts as unknown.
  expect(watch.classify("select g()").taint).not.toBe(0);
  await settled();
  expect(asked()).toBeGreaterThan(afterUse);
  await watch.close();
  expect(clock.pending).toBe(0);
});

/** A watch whose readings take a while, opened. */
async function slowWatch(isAwaited: () => boolean): Promise<{
  watch: CatalogWatch;
  clock: ManualClock;
  /** How long was read since the opening, and how often. */
  readingMs: () => number;
  reads: () => number;
}> {
  const clock = new ManualClock();
  let readingMs = 0;
  let reads = 0;
  const admin: AdminQuery = async (_sql, _values, { signal = NEVER }) => {
    readingMs += ANSWER_MS;
    await sleep(clock, ANSWER_MS, signal);
    return [];
  };
  const watch = new CatalogWatch({
    classifier: new Classifier({ admin }),
    clock,
    logger: silentLogger,
    onRead: () => (reads += 1),
    isAwaited,
  });
  const opening = watch.open(NEVER);
  await clock.advance(1000);
  await opening;
  const [msAtOpening, readsAtOpening] = [readingMs, reads];
  return {
    watch,
    clock,
    readingMs: () => readingMs - msAtOpening,
    reads: () => reads - readsAtOpening,
  };
}

/** Has a statement change the catalog each 5 ms. */
async function change(watch: CatalogWatch, clock: ManualClock, totalMs: number): Promise<void> {
  for (let ms = 0; ms < totalMs; ms += 5) {
    watch.noteDdl();
    await clock.advance(5);
  }
}

test("while statements change the catalog all the time, it is read a tenth of the time", async () => {
  const { watch, clock, readingMs, reads } = await slowWatch(() => false);
  await change(watch, clock, 10_000);
  expect(readingMs()).toBeGreaterThan(500);
  expect(readingMs()).toBeLessThan(1300);
  // The last change is read, too, and nothing more.
  const before = reads();
  await clock.advance(2000);
  expect(reads()).toBe(before + 1);
  await watch.close();
  expect(clock.pending).toBe(0);
});

test("somebody who waits for a reading waits for no rest", async () => {
  let isAwaited = false;
  const { watch, clock, reads } = await slowWatch(() => isAwaited);
  await change(watch, clock, 500);
  const before = reads();
  watch.hurry();
  await clock.advance(ANSWER_MS);
  expect(reads()).toBe(before + 1);
  // Nothing has changed since.
  watch.hurry();
  await clock.advance(ANSWER_MS);
  expect(reads()).toBe(before + 1);
  isAwaited = true;
  await change(watch, clock, 10 * ANSWER_MS);
  expect(reads()).toBeGreaterThanOrEqual(before + 10);
  await watch.close();
  expect(clock.pending).toBe(0);
});
