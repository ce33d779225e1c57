import { PoolerLifecycleStatus, PoolerServingStatus } from "@multipooler/topo";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { ManagerError, ManagerErrorCode } from "../src/manager-error.ts";
import { ManagerFixture } from "./manager-fixture.ts";
import { MemoryDatabase } from "./memory-database.ts";

const LAMEDUCK_MS = 5000;
const AWAY = new ManagerError(ManagerErrorCode.DatabaseUnavailable, "the database is away");

interface Scene {
  readonly fixture: ManagerFixture;
  readonly clock: ManualClock;
  readonly database: MemoryDatabase;
}

/** A primary that serves. Time stands still. */
async function servingScene(): Promise<Scene> {
  const clock = new ManualClock();
  const database = new MemoryDatabase();
  const manager = { database, clock };
  const fixture = new ManagerFixture({ manager });
  await fixture.open();
  await fixture.untilReady();
  return { fixture, clock, database };
}

test("a pooler that stops is not ready at once, serves on for its time, and then drains", async () => {
  const { fixture, clock } = await servingScene();
  await using _ = fixture;
  const seen: string[] = [];
  fixture.manager.watchStatus(({ ready, serving }) =>
    seen.push(`${ready} ${serving.current.status} ${serving.wanted?.status}`),
  );
  const closing = fixture.manager.close({ lameduckMs: LAMEDUCK_MS });
  expect(fixture.manager.status()).toMatchObject({
    ready: false,
    notReadyReason: "shutting down",
    serving: {
      current: { status: "SERVING", role: "PRIMARY" },
      wanted: { status: "NOT_SERVING", reason: "shutting down" },
    },
  });
  expect(seen[0], "the first that is told").toBe("false SERVING NOT_SERVING");
  const record = await fixture.untilRecord(
    ({ servingStatus }) => servingStatus === PoolerServingStatus.DRAINING,
  );
  expect(record.lifecycleStatus?.status).toBe(PoolerLifecycleStatus.LIFECYCLE_STOPPING);
  await clock.advance(LAMEDUCK_MS - 1);
  expect(fixture.controller.isServing()).toBe(true);
  expect(fixture.transport.calls).toEqual(["listen"]);
  await clock.advance(1);
  await closing;
  expect(fixture.transport.calls).toEqual(["listen", "moveClients", "close"]);
  expect(fixture.controller.calls.slice(-2)).toEqual(["REPLICA NOT_SERVING", "close"]);
  // No step back on the way: nobody is told that it serves, and every change goes further.
  expect([...new Set(seen)]).toEqual([
    "false SERVING NOT_SERVING",
    "false NOT_SERVING NOT_SERVING",
    "false NOT_SERVING undefined",
  ]);
  await fixture.topology.close();
  expect(clock.pending).toBe(0);
});

test("what forbids to serve ends the time", async () => {
  const { fixture, database, clock } = await servingScene();
  await using _ = fixture;
  const closing = fixture.manager.close({ lameduckMs: LAMEDUCK_MS });
  database.become({ fault: AWAY });
  // The checks of the database have their own pace.
  while (fixture.controller.isServing() && clock.monotonic() < LAMEDUCK_MS - 1000) {
    await clock.advance(100);
  }
  expect(fixture.controller.isServing()).toBe(false);
  await closing;
  expect(fixture.transport.calls).toEqual(["listen", "close"]);
});

test("the signal ends the time", async () => {
  const { fixture } = await servingScene();
  await using _ = fixture;
  const abort = new AbortController();
  const closing = fixture.manager.close({ lameduckMs: LAMEDUCK_MS, signal: abort.signal });
  expect(fixture.controller.isServing()).toBe(true);
  abort.abort(new Error("a second signal"));
  await closing;
  expect(fixture.controller.isServing()).toBe(false);
});

test.each([
  ["is told not to wait", async () => undefined, {}],
  [
    "is drained already",
    async ({ fixture }: Scene) => {
      const drain = { status: "DRAINED", reason: "" } as const;
      await fixture.manager.setServingStatus(drain, { wait: true });
    },
    { lameduckMs: LAMEDUCK_MS },
  ],
])("a pooler that %s does not wait", async (_, prepare, options) => {
  const scene = await servingScene();
  await using fixture = scene.fixture;
  await prepare(scene);
  await fixture.manager.close(options);
  expect(fixture.transport.calls).toEqual(["listen", "close"]);
});

test("no wish is taken while it stops", async () => {
  const { fixture, clock } = await servingScene();
  await using _ = fixture;
  const closing = fixture.manager.close({ lameduckMs: LAMEDUCK_MS });
  await expect(
    fixture.manager.setServingStatus({ status: "DRAINED", reason: "" }),
  ).rejects.toMatchObject({
    code: ManagerErrorCode.NotOpen,
    message: "the pooler is shutting down",
  });
  await clock.advance(LAMEDUCK_MS);
  await closing;
});
