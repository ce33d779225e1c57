import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe } from "vitest";
import { TestSpace } from "./store-fixture.ts";
import type { OutageFixture, StoreFixture } from "./store-fixture.ts";
import { testKeys } from "./test-keys.ts";
import { testLocks } from "./test-locks.ts";
import { testOutages } from "./test-outages.ts";
import { testRecords } from "./test-records.ts";
import { testSessions } from "./test-sessions.ts";
import { testWatches } from "./test-watches.ts";

/**
 * Declares the tests that every topology store passes. `start` begins one server, before the first
 * of them; it is disposed of after the last.
 */
export function describeStore(name: string, start: () => Promise<StoreFixture>): void {
  describe(`the topology in ${name}`, () => {
    const { space } = serve(start);
    testKeys(space);
    testWatches(space);
    testSessions(space);
    testLocks(space);
    testRecords(space);
  });
}

/** Declares the tests that every topology store passes whose server can go away by itself. */
export function describeOutages(name: string, start: () => Promise<OutageFixture>): void {
  describe(`the topology in ${name}, whose server goes away`, () => {
    const { fixture, space } = serve(start);
    testOutages(fixture, space);
  });
}

function serve<F extends StoreFixture>(
  start: () => Promise<F>,
): { readonly fixture: () => F; readonly space: () => TestSpace } {
  let started: F | undefined;
  beforeAll(async () => {
    started = await start();
  });
  afterAll(async () => {
    await started?.[Symbol.asyncDispose]();
  });
  const fixture = (): F => {
    if (started === undefined) {
      throw new Error("the server has not been started");
    }
    return started;
  };
  const space = (): TestSpace =>
    new TestSpace({ prefix: `/test/${randomUUID()}/`, fixture: fixture() });
  return { fixture, space };
}
