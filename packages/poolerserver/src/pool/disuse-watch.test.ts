import { expect, test } from "vitest";
import { acquire } from "../../test/borrowing.ts";
import { setUp } from "../../test/scheduler-scene.ts";
import { settled } from "../../test/settled.ts";

const OPTIONS = { idleTimeoutMs: 0, maxLifetimeMs: 0, inactiveTimeoutMs: 1000 };

test("the connections are closed together when none was used for the limit", async () => {
  const { pool, server, clock } = setUp(OPTIONS);
  const leases = await Promise.all([acquire(pool), acquire(pool)]);
  for (const lease of leases) {
    void lease.release();
  }
  clock.step(900);
  void (await acquire(pool)).release();
  clock.step(900);
  await settled();
  expect(server.live).toHaveLength(2);
  clock.step(100);
  await settled();
  expect(server.live).toHaveLength(0);
  expect(clock.pending).toBe(0);
});

test("one that is held keeps the others, and the time begins when it comes back", async () => {
  const { pool, server, clock } = setUp(OPTIONS);
  const [held, other] = await Promise.all([acquire(pool), acquire(pool)]);
  void other.release();
  clock.step(5000);
  expect(server.live).toHaveLength(2);
  void held.release();
  clock.step(999);
  expect(server.live).toHaveLength(2);
  clock.step(1);
  await settled();
  expect(server.live).toHaveLength(0);
});

test("nothing is left when the pool is closed before that", async () => {
  const { pool, clock } = setUp(OPTIONS);
  void (await acquire(pool)).release();
  await pool.close();
  expect(clock.pending).toBe(0);
});
