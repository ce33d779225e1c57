import { expect, test } from "vitest";
import { acquire } from "../../test/borrowing.ts";
import { setUp } from "../../test/scheduler-scene.ts";
import { failureOf, settled } from "../../test/settled.ts";

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
