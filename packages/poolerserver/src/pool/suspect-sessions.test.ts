import { expect, test } from "vitest";
import { acquire, send } from "../../test/borrowing.ts";
import type { FakeRequest } from "../../test/fake-backend.ts";
import { setUp } from "../../test/scheduler-scene.ts";
import type { SchedulerScene } from "../../test/scheduler-scene.ts";
import { settled } from "../../test/settled.ts";
import type { ProcessActivity } from "./silence-watch.ts";

const PID = 4711;

function silent(
  activity: readonly ProcessActivity[] | Error,
): SchedulerScene & { asked: number[]; ended: number[] } {
  const asked: number[] = [];
  const ended: number[] = [];
  const scene = setUp({
    capacity: 1,
    idleTimeoutMs: 0,
    waitTimeoutMs: 0,
    processes: {
      async activities(processIds) {
        asked.push(...processIds);
        if (activity instanceof Error) {
          throw activity;
        }
        return activity;
      },
      async endIdle({ processId }) {
        ended.push(processId);
      },
    },
  });
  return { ...scene, asked, ended };
}

test.each<[string, readonly ProcessActivity[]]>([
  ["is gone", []],
  ["has had nothing to do for a while", [{ processId: PID, idleMs: 1000 }]],
])("a silent session whose process %s is cut", async (_, activity) => {
  const { pool, clock, suspicions, ended: processes } = silent(activity);
  const lease = await acquire(pool);
  const ended = send(lease.backend, "select 1");
  await clock.advance(2500);
  expect(await ended).toMatchObject({ type: "lost" });
  expect(suspicions).toMatchObject([{ code: "CONNECTION_LOST" }]);
  expect(processes).toEqual([PID]);
});

test.each<[string, readonly ProcessActivity[] | Error]>([
  ["is busy", [{ processId: PID, idleMs: undefined }]],
  ["has just finished", [{ processId: PID, idleMs: 999 }]],
  ["cannot be asked about", new Error("nobody listens")],
])("a silent session whose process %s is kept", async (_, activity) => {
  const { pool, clock, server, asked } = silent(activity);
  const lease = await acquire(pool);
  const ended = send(lease.backend, "select 1");
  await clock.advance(60_000);
  expect(asked.length).toBeGreaterThan(1);
  server.backends[0]?.requests[0]?.succeed();
  expect(await ended).toMatchObject({ type: "ready" });
});

test("nobody asks about sessions that are heard of, or idle", async () => {
  const { pool, clock, server, asked } = silent([]);
  const lease = await acquire(pool);
  const ended = send(lease.backend, "select 1");
  const [backend] = server.backends;
  for (let seconds = 0; seconds < 10; seconds += 1) {
    await clock.advance(1000);
    if (backend !== undefined) {
      backend.bytesReceived += 1;
    }
  }
  backend?.requests[0]?.succeed();
  await ended;
  await clock.advance(10_000);
  void lease.release();
  await clock.advance(1000);
  expect(asked).toEqual([]);
  expect(clock.pending).toBe(0);
});

test("a session that was idle for long has to answer before it is used", async () => {
  const requests: FakeRequest[] = [];
  const { pool, clock, server } = setUp({
    capacity: 1,
    idleTimeoutMs: 0,
    waitTimeoutMs: 0,
    onRequest: (request) => requests.push(request),
  });
  void (await acquire(pool)).release();
  clock.step(5000);
  const lease = acquire(pool);
  await settled();
  expect(requests.map(({ sql }) => sql)).toEqual([""]);
  requests[0]?.succeed();
  expect((await lease).backend).toBe(server.backends[0]);
});

test("one that does not answer within a second is replaced", async () => {
  const { pool, clock, server } = setUp({ capacity: 1, idleTimeoutMs: 0, waitTimeoutMs: 0 });
  void (await acquire(pool)).release();
  clock.step(5000);
  const lease = acquire(pool);
  clock.step(1000);
  expect((await lease).backend).toBe(server.backends[1]);
  expect(server.backends[0]?.hasEnded).toBe(true);
});

test("when one connection is lost the idle ones have to answer, and nobody waits for them", async () => {
  const { pool, server, suspicions } = setUp({ capacity: 3, idleTimeoutMs: 0 });
  const leases = await Promise.all([acquire(pool), acquire(pool)]);
  for (const lease of leases) {
    void lease.release();
  }
  server.backends[0]?.lose();
  await settled();
  expect(server.backends[1]?.requests.map(({ sql }) => sql)).toEqual([""]);
  expect((await acquire(pool)).backend).toBe(server.backends[2]);
  server.backends[1]?.requests[0]?.succeed();
  expect((await acquire(pool)).backend).toBe(server.backends[1]);
  expect(suspicions).toMatchObject([{ code: "CONNECTION_LOST" }]);
});
