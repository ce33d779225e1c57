import { expect, test } from "vitest";
import { acquire, send } from "../../test/borrowing.ts";
import { setUp } from "../../test/scheduler-scene.ts";
import { settled } from "../../test/settled.ts";

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
