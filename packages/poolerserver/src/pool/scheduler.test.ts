import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { acquire } from "../../test/borrowing.ts";
import { setUp } from "../../test/scheduler-scene.ts";
import { failureOf, settled } from "../../test/settled.ts";

test("lends the session that was used last", async () => {
  const { pool } = setUp();
  const [a, b] = await Promise.all([acquire(pool), acquire(pool)]);
  void a.release();
  void b.release();
  expect((await acquire(pool)).backend).toBe(b.backend);
  expect((await acquire(pool)).backend).toBe(a.backend);
});

test("serves those who wait in the order they came", async () => {
  const { pool } = setUp({ capacity: 1 });
  const first = await acquire(pool);
  const served: string[] = [];
  const wait = async (name: string): Promise<void> => {
    const lease = await acquire(pool);
    served.push(name);
    void lease.release();
  };
  const waits = [wait("a"), wait("b"), wait("c")];
  void first.release();
  await Promise.all(waits);
  expect(served).toEqual(["a", "b", "c"]);
});

test("opens no more sessions than its capacity", async () => {
  const { pool, server } = setUp({ capacity: 2, acceptsAtOnce: false });
  for (let count = 0; count < 5; count += 1) {
    void acquire(pool);
  }
  expect(server.dials).toHaveLength(2);
});

test("opens no more sessions than the share allows, and tries again while somebody waits", async () => {
  const { pool, server, clock, share } = setUp({ limit: 1 });
  const taken = share.tryTake();
  const waiting = acquire(pool);
  expect(server.backends).toHaveLength(0);
  taken?.release();
  clock.step(100);
  expect((await waiting).backend).toBe(server.backends[0]);
  expect(share.used).toBe(1);
});

test("a lease that was given back twice is one session, not two", async () => {
  const { pool } = setUp({ capacity: 1 });
  const lease = await acquire(pool);
  void lease.release();
  void lease.release();
  lease.discard("late");
  const again = await acquire(pool);
  lease.discard("later still");
  expect(again.backend.idle).toBe(true);
  const next = acquire(pool);
  await settled();
  void again.release();
  expect((await next).backend).toBe(again.backend);
});

test("refuses after the wait limit and says what is in the way", async () => {
  const { pool, clock } = setUp({ capacity: 1, limit: 7 });
  await acquire(pool);
  const waiting = failureOf(acquire(pool));
  const other = failureOf(acquire(pool));
  clock.step(500);
  expect(await waiting).toMatchObject({
    code: "POOL_EXHAUSTED",
    message: expect.stringMatching(
      /500 ms .*waitTimeoutMs; raise capacity.* 1 of 1 .* 2 requests wait.* 7$/,
    ),
  });
  await other;
});

test("waits without a limit when that is switched off", async () => {
  const { pool, clock } = setUp({ capacity: 1, waitTimeoutMs: 0 });
  const lease = await acquire(pool);
  const waiting = acquire(pool);
  clock.step(1_000_000);
  void lease.release();
  expect((await waiting).backend.idle).toBe(true);
});

test("an abort ends the wait, and the session goes to the next", async () => {
  const { pool, clock } = setUp({ capacity: 1, acceptsAtOnce: true });
  const lease = await acquire(pool);
  const controller = new AbortController();
  const aborted = failureOf(acquire(pool, { signal: controller.signal }));
  const next = acquire(pool);
  controller.abort();
  expect(await aborted).toMatchObject({ code: "CANCELLED" });
  void lease.release();
  void (await next).release();
  clock.step(500);
  expect(clock.pending).toBe(1);
});

test("leaves no listener on a signal, whether it served, refused or was aborted", async () => {
  const { pool, clock } = setUp({ capacity: 1 });
  const controller = new AbortController();
  const { signal } = controller;
  const lease = await acquire(pool, { signal });
  const served = acquire(pool, { signal });
  const refused = failureOf(acquire(pool, { signal }));
  void lease.release();
  await served;
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  clock.step(500);
  await refused;
  expect(getEventListeners(signal, "abort")).toHaveLength(0);
});

test("a deadline that passes while waiting is DEADLINE_EXCEEDED", async () => {
  const { pool } = setUp({ capacity: 1 });
  await acquire(pool);
  const controller = new AbortController();
  const waiting = failureOf(acquire(pool, { signal: controller.signal }));
  controller.abort(new DOMException("too late", "TimeoutError"));
  expect(await waiting).toMatchObject({ code: "DEADLINE_EXCEEDED" });
});

test("a session that arrives after the abort is kept for others", async () => {
  const { pool, server } = setUp({ acceptsAtOnce: false });
  const controller = new AbortController();
  const aborted = failureOf(acquire(pool, { signal: controller.signal }));
  controller.abort();
  await aborted;
  const backend = server.dials[0]?.accept();
  await settled();
  expect((await acquire(pool)).backend).toBe(backend);
});
