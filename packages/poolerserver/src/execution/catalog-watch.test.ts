import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { failureOf, settled } from "../../test/settled.ts";
import { silentLogger } from "../../test/silent-logger.ts";
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

test("a catalog that does not answer is waited for no longer than 5 s", async () => {
  const { watch, clock } = setUp({ hangs: true });
  const opening = watch.open(NEVER);
  await clock.advance(5000);
  expect(await opening).toBeUndefined();
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
