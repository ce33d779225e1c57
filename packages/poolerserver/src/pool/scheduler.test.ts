import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { acquire, send } from "../../test/borrowing.ts";
import { unreachable } from "../../test/fake-server.ts";
import { setUp } from "../../test/scheduler-scene.ts";
import { failureOf, settled } from "../../test/settled.ts";
import { MultiPoolerError } from "../error.ts";
import type { PoolerEvent } from "../pooler-event.ts";

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

test("a dial that fails refuses the one it was for, and the others get what comes back", async () => {
  const { pool, server } = setUp({ capacity: 2, acceptsAtOnce: false });
  const first = acquire(pool);
  server.dials[0]?.accept();
  const lease = await first;
  const refused = failureOf(acquire(pool));
  const served = acquire(pool);
  server.dials[0]?.refuse();
  expect(await refused).toMatchObject({ code: "PRE_EXECUTION_UNAVAILABLE" });
  void lease.release();
  expect((await served).backend).toBe(lease.backend);
});

test("a dial that fails refuses nobody while other dials are enough for those who wait", async () => {
  const { pool, server } = setUp({ capacity: 2, acceptsAtOnce: false });
  const gone = new AbortController();
  const aborted = failureOf(acquire(pool, { signal: gone.signal }));
  const waiting = acquire(pool);
  gone.abort();
  await aborted;
  server.dials[0]?.refuse();
  await settled();
  const backend = server.dials[0]?.accept();
  expect((await waiting).backend).toBe(backend);
});

test("when nothing is left to wait for, a failed dial refuses everybody", async () => {
  const { pool, server } = setUp({ capacity: 1, acceptsAtOnce: false });
  const waiting = Array.from({ length: 50 }, () => failureOf(acquire(pool)));
  server.dials[0]?.refuse();
  for (const error of await Promise.all(waiting)) {
    expect(error).toMatchObject({ code: "PRE_EXECUTION_UNAVAILABLE" });
  }
  expect(server.dials).toHaveLength(0);
});

test("after a failure it spares the server while it has sessions left", async () => {
  const { pool, server, clock } = setUp({ capacity: 3, acceptsAtOnce: false });
  void acquire(pool);
  server.dials[0]?.accept();
  const refused = failureOf(acquire(pool));
  server.dials[0]?.refuse();
  await refused;
  void acquire(pool);
  expect(server.dials).toHaveLength(0);
  clock.step(99);
  expect(server.dials).toHaveLength(0);
  clock.step(1);
  expect(server.dials).toHaveLength(1);
});

test("a failed dial gives its place in the share back", async () => {
  const { pool, server, share } = setUp({ acceptsAtOnce: false });
  const refused = failureOf(acquire(pool));
  expect(share.used).toBe(1);
  server.dials[0]?.refuse(unreachable());
  await refused;
  expect(share.used).toBe(0);
});

test("closes what was idle for too long, the one used last at last", async () => {
  const { pool, server, clock, share } = setUp();
  const [a, b] = await Promise.all([acquire(pool), acquire(pool)]);
  void a.release();
  clock.step(600);
  void b.release();
  clock.step(400);
  await settled();
  expect(server.live).toEqual([b.backend]);
  clock.step(600);
  await settled();
  expect(server.live).toEqual([]);
  expect(share.used).toBe(0);
  expect(clock.pending).toBe(0);
});

test("keeps idle sessions when the limit is switched off", async () => {
  const { pool, server, clock } = setUp({ idleTimeoutMs: 0 });
  void (await acquire(pool)).release();
  clock.step(1_000_000);
  expect(server.live).toHaveLength(1);
});

test("replaces a session that has come to its age, which differs by up to a tenth", async () => {
  const { pool, server, clock } = setUp({ random: () => 0.5, capacity: 1 });
  const lease = await acquire(pool);
  clock.step(9499);
  void lease.release();
  const again = await acquire(pool);
  expect(again.backend).toBe(lease.backend);
  clock.step(1);
  void again.release();
  expect((await acquire(pool)).backend).not.toBe(lease.backend);
  expect(server.live).toHaveLength(1);
});

test("a session that breaks while it is idle is replaced", async () => {
  const { pool, server, share } = setUp({ capacity: 1 });
  void (await acquire(pool)).release();
  server.backends[0]?.lose();
  await settled();
  expect(share.used).toBe(0);
  expect((await acquire(pool)).backend).toBe(server.backends[1]);
});

test("a session that breaks while it is lent makes room for those who wait", async () => {
  const { pool, server } = setUp({ capacity: 1 });
  const lease = await acquire(pool);
  const waiting = acquire(pool);
  server.backends[0]?.lose();
  expect((await waiting).backend).toBe(server.backends[1]);
  void lease.release();
  expect(server.live).toHaveLength(1);
});

test("a session in a transaction, or with something in flight, is not lent again", async () => {
  const { pool, server } = setUp({ capacity: 1 });
  const inTransaction = await acquire(pool);
  if (server.backends[0] !== undefined) {
    server.backends[0].transactionStatus = "T";
  }
  void inTransaction.release();
  const busy = await acquire(pool);
  const unfinished = send(busy.backend, "select 1");
  void busy.release();
  await unfinished;
  expect((await acquire(pool)).backend).toBe(server.backends[2]);
});

test("a discarded session is ended in good order, and its place is free then", async () => {
  const { pool, server, share } = setUp({ capacity: 1 });
  (await acquire(pool)).discard("not as it was");
  expect(server.backends[0]?.closeCalls).toBe(1);
  expect(server.backends[0]?.destroyedFor).toBeUndefined();
  await settled();
  expect(share.used).toBe(0);
});

test("a discarded session with something in flight is cut", async () => {
  const { pool, server } = setUp({ capacity: 1 });
  const lease = await acquire(pool);
  const unfinished = send(lease.backend, "select 1");
  lease.discard("broken");
  await unfinished;
  expect(server.backends[0]?.destroyedFor).toBe("broken");
});

test("its place is not free before the server has ended the session", async () => {
  const { pool, server, clock, share } = setUp({ capacity: 1, waitTimeoutMs: 0 });
  const lease = await acquire(pool);
  const [backend] = server.backends;
  if (backend !== undefined) {
    backend.closesAtOnce = false;
  }
  clock.step(10_000);
  void lease.release();
  const waiting = acquire(pool);
  expect([server.backends.length, share.used]).toEqual([1, 1]);
  backend?.finishClose();
  expect((await waiting).backend).toBe(server.backends[1]);
});

test("gives up sessions when the share shrinks, and no more than it must", async () => {
  const { pool, server, share } = setUp({ capacity: 4 });
  const leases = await Promise.all([1, 2, 3, 4].map(() => acquire(pool)));
  for (const lease of leases) {
    void lease.release();
  }
  share.limit = 3;
  void (await acquire(pool)).release();
  expect(server.live).toHaveLength(3);
  await settled();
  expect(share.used).toBe(3);
});

test("another access ends the sessions of the old one, lent and dialled ones as they come", async () => {
  const { pool, server } = setUp({ capacity: 3, acceptsAtOnce: false });
  const waits = [acquire(pool), acquire(pool)];
  const [idle, lent] = [server.dials[0]?.accept(), server.dials[0]?.accept()];
  const [first, second] = await Promise.all(waits);
  void first?.release();
  const late = acquire(pool);
  const later = acquire(pool);
  pool.setAccess("read-only");
  const stale = server.dials[0]?.accept();
  await settled();
  expect([idle?.hasEnded, stale?.hasEnded, lent?.hasEnded]).toEqual([false, true, false]);
  void second?.release();
  await settled();
  expect(lent?.hasEnded).toBe(true);
  expect(server.dials.map(({ access }) => access)).toEqual(["read-only"]);
  server.dials[0]?.accept();
  void (await late).release();
  await later;
});

test("close refuses those who wait, and waits for lent sessions", async () => {
  const { pool, server, clock, share } = setUp({ capacity: 2 });
  const [a, b] = await Promise.all([acquire(pool), acquire(pool)]);
  const waiting = failureOf(acquire(pool));
  let isClosed = false;
  const closing = pool.close().then(() => {
    isClosed = true;
  });
  expect(await waiting).toMatchObject({ code: "NOT_OPEN" });
  void a.release();
  await settled();
  expect(isClosed).toBe(false);
  void b.release();
  await closing;
  expect(await failureOf(acquire(pool))).toMatchObject({ code: "NOT_OPEN" });
  expect([server.live.length, share.used, clock.pending]).toEqual([0, 0, 0]);
});

test("close ends idle sessions at once", async () => {
  const { pool, server, clock } = setUp();
  void (await acquire(pool)).release();
  await pool.close();
  expect([server.live.length, server.backends[0]?.closeCalls, clock.pending]).toEqual([0, 1, 0]);
});

test("close ends the wait for a place in the share", async () => {
  const { pool, clock, share } = setUp({ limit: 1 });
  const taken = share.tryTake();
  const refused = failureOf(acquire(pool));
  await pool.close();
  expect(await refused).toMatchObject({ code: "NOT_OPEN" });
  expect(clock.pending).toBe(0);
  taken?.release();
});

test("close cuts sessions that do not come back in time", async () => {
  const { pool, server, clock, share } = setUp();
  await acquire(pool);
  const closing = pool.close();
  const again = pool.close();
  clock.step(300);
  await Promise.all([closing, again]);
  expect(server.backends[0]?.destroyedFor).toMatchObject({ code: "NOT_OPEN" });
  expect([server.live.length, share.used, clock.pending]).toEqual([0, 0, 0]);
});

test("close ends dials, and a session that still arrives", async () => {
  const { pool, server, share } = setUp({ acceptsAtOnce: false });
  const refused = failureOf(acquire(pool));
  const [dial] = server.dials;
  const closing = pool.close();
  expect(dial?.signal.aborted).toBe(true);
  expect(await refused).toMatchObject({ code: "NOT_OPEN" });
  await closing;
  expect(share.used).toBe(0);
});

test("each dial is told with its time, or why it came to nothing", async () => {
  const events: PoolerEvent[] = [];
  const onEvent = (event: PoolerEvent): void => void events.push(event);
  const { pool, server, clock } = setUp({ acceptsAtOnce: false, capacity: 1, onEvent });
  const refused = failureOf(acquire(pool));
  server.dials[0]?.refuse(unreachable());
  await refused;
  const late = failureOf(acquire(pool));
  clock.step(100);
  const cause = new DOMException("connecting took longer than 5000 ms", "TimeoutError");
  server.dials[0]?.refuse(new MultiPoolerError("PRE_EXECUTION_UNAVAILABLE", "late", { cause }));
  await late;
  const lease = acquire(pool);
  clock.step(100);
  clock.step(40);
  server.dials[0]?.accept();
  await lease;
  expect(events).toEqual([
    { type: "connectionFailed", isTimeout: false },
    { type: "connectionFailed", isTimeout: true },
    { type: "connectionOpened", durationMs: 40 },
  ]);
});
