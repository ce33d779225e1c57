import { getEventListeners } from "node:events";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { CountingBudget } from "../test/counting-budget.ts";
import { FakeServer, unreachable } from "../test/fake-server.ts";
import { failureOf, settled } from "../test/settled.ts";
import { silentLogger } from "../test/silent-logger.ts";
import { Pool } from "./pool.ts";
import type { PoolOptions } from "./pool-options.ts";

function setUp(options: Partial<PoolOptions> & { acceptsAtOnce?: boolean; limit?: number } = {}): {
  pool: Pool;
  server: FakeServer;
  clock: ManualClock;
  budget: CountingBudget;
} {
  const { acceptsAtOnce = true, limit = 10, ...rest } = options;
  const clock = new ManualClock();
  const budget = new CountingBudget(limit);
  const server = new FakeServer({ acceptsAtOnce });
  const pool = new Pool(
    {
      openBackend: server.open,
      capacity: 2,
      budget,
      idleTimeoutMs: 1000,
      maxLifetimeMs: 10_000,
      waitTimeoutMs: 500,
      closeGraceMs: 300,
      clock,
      random: () => 0,
      logger: silentLogger,
      ...rest,
    },
    "read-write",
  );
  return { pool, server, clock, budget };
}

test("lends the session that was used last", async () => {
  const { pool } = setUp();
  const [a, b] = await Promise.all([pool.acquire(), pool.acquire()]);
  a.release();
  b.release();
  expect((await pool.acquire()).backend).toBe(b.backend);
  expect((await pool.acquire()).backend).toBe(a.backend);
});

test("serves those who wait in the order they came", async () => {
  const { pool } = setUp({ capacity: 1 });
  const first = await pool.acquire();
  const served: string[] = [];
  const wait = async (name: string): Promise<void> => {
    const lease = await pool.acquire();
    served.push(name);
    lease.release();
  };
  const waits = [wait("a"), wait("b"), wait("c")];
  first.release();
  await Promise.all(waits);
  expect(served).toEqual(["a", "b", "c"]);
});

test("opens no more sessions than its capacity", async () => {
  const { pool, server } = setUp({ capacity: 2, acceptsAtOnce: false });
  for (let count = 0; count < 5; count += 1) {
    void pool.acquire();
  }
  expect(server.dials).toHaveLength(2);
});

test("opens no more sessions than the budget allows, and tries again while somebody waits", async () => {
  const { pool, server, clock, budget } = setUp({ limit: 1 });
  const taken = budget.tryAcquire();
  const waiting = pool.acquire();
  expect(server.backends).toHaveLength(0);
  taken?.release();
  clock.step(100);
  expect((await waiting).backend).toBe(server.backends[0]);
  expect(budget.used).toBe(1);
});

test("a lease that was given back twice is one session, not two", async () => {
  const { pool } = setUp({ capacity: 1 });
  const lease = await pool.acquire();
  lease.release();
  lease.release();
  lease.discard("late");
  const again = await pool.acquire();
  lease.discard("later still");
  expect(again.backend.idle).toBe(true);
  const next = pool.acquire();
  await settled();
  again.release();
  expect((await next).backend).toBe(again.backend);
});

test("refuses after the wait limit and says what is in the way", async () => {
  const { pool, clock } = setUp({ capacity: 1, limit: 7 });
  await pool.acquire();
  const waiting = failureOf(pool.acquire());
  const other = failureOf(pool.acquire());
  clock.step(500);
  expect(await waiting).toMatchObject({
    code: "POOL_EXHAUSTED",
    message: expect.stringMatching(/500 ms.* 1 of 1 .* 2 requests wait.* 7$/),
  });
  await other;
});

test("waits without a limit when that is switched off", async () => {
  const { pool, clock } = setUp({ capacity: 1, waitTimeoutMs: 0 });
  const lease = await pool.acquire();
  const waiting = pool.acquire();
  clock.step(1_000_000);
  lease.release();
  expect((await waiting).backend.idle).toBe(true);
});

test("an abort ends the wait, and the session goes to the next", async () => {
  const { pool, clock } = setUp({ capacity: 1, acceptsAtOnce: true });
  const lease = await pool.acquire();
  const controller = new AbortController();
  const aborted = failureOf(pool.acquire({ signal: controller.signal }));
  const next = pool.acquire();
  controller.abort();
  expect(await aborted).toMatchObject({ code: "CANCELLED" });
  lease.release();
  (await next).release();
  expect(clock.pending).toBe(1);
});

test("leaves no listener on a signal, whether it served, refused or was aborted", async () => {
  const { pool, clock } = setUp({ capacity: 1 });
  const controller = new AbortController();
  const { signal } = controller;
  const lease = await pool.acquire({ signal });
  const served = pool.acquire({ signal });
  const refused = failureOf(pool.acquire({ signal }));
  lease.release();
  await served;
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  clock.step(500);
  await refused;
  expect(getEventListeners(signal, "abort")).toHaveLength(0);
});

test("a deadline that passes while waiting is DEADLINE_EXCEEDED", async () => {
  const { pool } = setUp({ capacity: 1 });
  await pool.acquire();
  const controller = new AbortController();
  const waiting = failureOf(pool.acquire({ signal: controller.signal }));
  controller.abort(new DOMException("too late", "TimeoutError"));
  expect(await waiting).toMatchObject({ code: "DEADLINE_EXCEEDED" });
});

test("a signal that has aborted gets no session, not even an idle one", async () => {
  const { pool } = setUp();
  (await pool.acquire()).release();
  const error = await failureOf(pool.acquire({ signal: AbortSignal.abort() }));
  expect(error).toMatchObject({ code: "CANCELLED" });
});

test("a session that arrives after the abort is kept for others", async () => {
  const { pool, server } = setUp({ acceptsAtOnce: false });
  const controller = new AbortController();
  const aborted = failureOf(pool.acquire({ signal: controller.signal }));
  controller.abort();
  await aborted;
  const backend = server.dials[0]?.accept();
  await settled();
  expect((await pool.acquire()).backend).toBe(backend);
});

test("a dial that fails refuses the one it was for, and the others get what comes back", async () => {
  const { pool, server } = setUp({ capacity: 2, acceptsAtOnce: false });
  const first = pool.acquire();
  server.dials[0]?.accept();
  const lease = await first;
  const refused = failureOf(pool.acquire());
  const served = pool.acquire();
  server.dials[0]?.refuse();
  expect(await refused).toMatchObject({ code: "PRE_EXECUTION_UNAVAILABLE" });
  lease.release();
  expect((await served).backend).toBe(lease.backend);
});

test("a dial that fails refuses nobody while other dials are enough for those who wait", async () => {
  const { pool, server } = setUp({ capacity: 2, acceptsAtOnce: false });
  const gone = new AbortController();
  const aborted = failureOf(pool.acquire({ signal: gone.signal }));
  const waiting = pool.acquire();
  gone.abort();
  await aborted;
  server.dials[0]?.refuse();
  await settled();
  const backend = server.dials[0]?.accept();
  expect((await waiting).backend).toBe(backend);
});

test("when nothing is left to wait for, a failed dial refuses everybody", async () => {
  const { pool, server } = setUp({ capacity: 1, acceptsAtOnce: false });
  const waiting = Array.from({ length: 50 }, () => failureOf(pool.acquire()));
  server.dials[0]?.refuse();
  for (const error of await Promise.all(waiting)) {
    expect(error).toMatchObject({ code: "PRE_EXECUTION_UNAVAILABLE" });
  }
  expect(server.dials).toHaveLength(0);
});

test("after a failure it spares the server while it has sessions left", async () => {
  const { pool, server, clock } = setUp({ capacity: 3, acceptsAtOnce: false });
  void pool.acquire();
  server.dials[0]?.accept();
  const refused = failureOf(pool.acquire());
  server.dials[0]?.refuse();
  await refused;
  void pool.acquire();
  expect(server.dials).toHaveLength(0);
  clock.step(99);
  expect(server.dials).toHaveLength(0);
  clock.step(1);
  expect(server.dials).toHaveLength(1);
});

test("a failed dial gives its place in the budget back", async () => {
  const { pool, server, budget } = setUp({ acceptsAtOnce: false });
  const refused = failureOf(pool.acquire());
  expect(budget.used).toBe(1);
  server.dials[0]?.refuse(unreachable());
  await refused;
  expect(budget.used).toBe(0);
});

test("closes what was idle for too long, the one used last at last", async () => {
  const { pool, server, clock, budget } = setUp();
  const [a, b] = await Promise.all([pool.acquire(), pool.acquire()]);
  a.release();
  clock.step(600);
  b.release();
  clock.step(400);
  await settled();
  expect(server.live).toEqual([b.backend]);
  clock.step(600);
  await settled();
  expect(server.live).toEqual([]);
  expect(budget.used).toBe(0);
  expect(clock.pending).toBe(0);
});

test("keeps idle sessions when the limit is switched off", async () => {
  const { pool, server, clock } = setUp({ idleTimeoutMs: 0 });
  (await pool.acquire()).release();
  clock.step(1_000_000);
  expect(server.live).toHaveLength(1);
});

test("replaces a session that has come to its age, which differs by up to a tenth", async () => {
  const { pool, server, clock } = setUp({ random: () => 0.5, capacity: 1 });
  const lease = await pool.acquire();
  clock.step(9499);
  lease.release();
  const again = await pool.acquire();
  expect(again.backend).toBe(lease.backend);
  clock.step(1);
  again.release();
  expect((await pool.acquire()).backend).not.toBe(lease.backend);
  expect(server.live).toHaveLength(1);
});

test("a session that breaks while it is idle is replaced", async () => {
  const { pool, server, budget } = setUp({ capacity: 1 });
  (await pool.acquire()).release();
  server.backends[0]?.lose();
  await settled();
  expect(budget.used).toBe(0);
  expect((await pool.acquire()).backend).toBe(server.backends[1]);
});

test("a session that breaks while it is lent makes room for those who wait", async () => {
  const { pool, server } = setUp({ capacity: 1 });
  const lease = await pool.acquire();
  const waiting = pool.acquire();
  server.backends[0]?.lose();
  expect((await waiting).backend).toBe(server.backends[1]);
  lease.release();
  expect(server.live).toHaveLength(1);
});

test("a session in a transaction, or with something in flight, is not lent again", async () => {
  const { pool, server } = setUp({ capacity: 1 });
  const inTransaction = await pool.acquire();
  if (server.backends[0] !== undefined) {
    server.backends[0].transactionStatus = "T";
  }
  inTransaction.release();
  const busy = await pool.acquire();
  const unfinished = failureOf(busy.backend.query("select 1", { write: () => undefined }));
  busy.release();
  await unfinished;
  expect((await pool.acquire()).backend).toBe(server.backends[2]);
});

test("a discarded session is ended in good order, and its place is free then", async () => {
  const { pool, server, budget } = setUp({ capacity: 1 });
  (await pool.acquire()).discard("not as it was");
  expect(server.backends[0]?.closeCalls).toBe(1);
  expect(server.backends[0]?.destroyedFor).toBeUndefined();
  await settled();
  expect(budget.used).toBe(0);
});

test("a discarded session with something in flight is cut", async () => {
  const { pool, server } = setUp({ capacity: 1 });
  const lease = await pool.acquire();
  const unfinished = failureOf(lease.backend.query("select 1", { write: () => undefined }));
  lease.discard("broken");
  await unfinished;
  expect(server.backends[0]?.destroyedFor).toBe("broken");
});

test("its place is not free before the server has ended the session", async () => {
  const { pool, server, clock, budget } = setUp({ capacity: 1, waitTimeoutMs: 0 });
  const lease = await pool.acquire();
  const [backend] = server.backends;
  if (backend !== undefined) {
    backend.closesAtOnce = false;
  }
  clock.step(10_000);
  lease.release();
  const waiting = pool.acquire();
  expect([server.backends.length, budget.used]).toEqual([1, 1]);
  backend?.finishClose();
  expect((await waiting).backend).toBe(server.backends[1]);
});

test("gives up sessions when the budget shrinks, and no more than it must", async () => {
  const { pool, server, budget } = setUp({ capacity: 4 });
  const leases = await Promise.all([1, 2, 3, 4].map(() => pool.acquire()));
  for (const lease of leases) {
    lease.release();
  }
  budget.limit = 3;
  (await pool.acquire()).release();
  expect(server.live).toHaveLength(3);
  await settled();
  expect(budget.used).toBe(3);
});

test("another access ends the sessions of the old one, lent and dialled ones as they come", async () => {
  const { pool, server } = setUp({ capacity: 3, acceptsAtOnce: false });
  const waits = [pool.acquire(), pool.acquire()];
  const [idle, lent] = [server.dials[0]?.accept(), server.dials[0]?.accept()];
  const [first, second] = await Promise.all(waits);
  first?.release();
  const late = pool.acquire();
  const later = pool.acquire();
  pool.setAccess("read-only");
  const stale = server.dials[0]?.accept();
  await settled();
  expect([idle?.hasEnded, stale?.hasEnded, lent?.hasEnded]).toEqual([false, true, false]);
  second?.release();
  await settled();
  expect(lent?.hasEnded).toBe(true);
  expect(server.dials.map(({ access }) => access)).toEqual(["read-only"]);
  server.dials[0]?.accept();
  (await late).release();
  await later;
});

test("close refuses those who wait, and waits for lent sessions", async () => {
  const { pool, server, clock, budget } = setUp({ capacity: 2 });
  const [a, b] = await Promise.all([pool.acquire(), pool.acquire()]);
  const waiting = failureOf(pool.acquire());
  let isClosed = false;
  const closing = pool.close().then(() => {
    isClosed = true;
  });
  expect(await waiting).toMatchObject({ code: "NOT_OPEN" });
  a.release();
  await settled();
  expect(isClosed).toBe(false);
  b.release();
  await closing;
  expect(await failureOf(pool.acquire())).toMatchObject({ code: "NOT_OPEN" });
  expect([server.live.length, budget.used, clock.pending]).toEqual([0, 0, 0]);
});

test("close ends idle sessions at once", async () => {
  const { pool, server, clock } = setUp();
  (await pool.acquire()).release();
  await pool.close();
  expect([server.live.length, server.backends[0]?.closeCalls, clock.pending]).toEqual([0, 1, 0]);
});

test("close ends the wait for a place in the budget", async () => {
  const { pool, clock, budget } = setUp({ limit: 1 });
  const taken = budget.tryAcquire();
  const refused = failureOf(pool.acquire());
  await pool.close();
  expect(await refused).toMatchObject({ code: "NOT_OPEN" });
  expect(clock.pending).toBe(0);
  taken?.release();
});

test("close cuts sessions that do not come back in time", async () => {
  const { pool, server, clock, budget } = setUp();
  await pool.acquire();
  const closing = pool.close();
  const again = pool.close();
  clock.step(300);
  await Promise.all([closing, again]);
  expect(server.backends[0]?.destroyedFor).toMatchObject({ code: "NOT_OPEN" });
  expect([server.live.length, budget.used, clock.pending]).toEqual([0, 0, 0]);
});

test("close ends dials, and a session that still arrives", async () => {
  const { pool, server, budget } = setUp({ acceptsAtOnce: false });
  const refused = failureOf(pool.acquire());
  const [dial] = server.dials;
  const closing = pool.close();
  expect(dial?.signal.aborted).toBe(true);
  expect(await refused).toMatchObject({ code: "NOT_OPEN" });
  await closing;
  expect(budget.used).toBe(0);
});
