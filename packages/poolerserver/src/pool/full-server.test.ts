import { expect, test } from "vitest";
import { acquire } from "../../test/borrowing.ts";
import { unreachable } from "../../test/fake-server.ts";
import { setUp } from "../../test/scheduler-scene.ts";
import { failureOf, settled } from "../../test/settled.ts";
import { MultiPoolerError, errorDiagnostic } from "../error.ts";

function full(): MultiPoolerError {
  const diagnostic = errorDiagnostic("53300", "sorry, too many clients already");
  return new MultiPoolerError("PRE_EXECUTION_UNAVAILABLE", "full", { diagnostic });
}

test("a full server makes requests wait, and is dialled again after a pause", async () => {
  const { pool, server, share, clock, suspicions } = setUp({ acceptsAtOnce: false });
  const waiting = acquire(pool);
  server.dials[0]?.refuse(full());
  await settled();
  expect([share.fullCount, share.limit, server.dials.length]).toEqual([1, 0, 0]);
  share.limit = 5;
  await settled();
  clock.step(99);
  await settled();
  expect(server.dials).toHaveLength(0);
  clock.step(1);
  const backend = server.dials[0]?.accept();
  expect((await waiting).backend).toBe(backend);
  expect(suspicions).toMatchObject([{ diagnostic: { code: "53300" } }]);
});

test("requests that wait for a full server do so under their own limit", async () => {
  const { pool, server, clock } = setUp({ acceptsAtOnce: false });
  const waiting = failureOf(acquire(pool));
  server.dials[0]?.refuse(full());
  await settled();
  clock.step(500);
  expect(await waiting).toMatchObject({
    code: "POOL_EXHAUSTED",
    message: expect.stringMatching(/raise max_connections of PostgreSQL.* 0 of 2 /),
  });
});

test.each([
  ["a role", "InitializeSessionUserId"],
  ["a database", "CheckMyDatabase"],
])("the limit of %s is told at once where no connection can come free", async (_, routine) => {
  let hasOthers = true;
  const mayComeFree = (): boolean => hasOthers;
  const { pool, server, share, clock } = setUp({ acceptsAtOnce: false, mayComeFree });
  const diagnostic = { ...errorDiagnostic("53300", "too many connections for it"), routine };
  const limited = new MultiPoolerError("PRE_EXECUTION_UNAVAILABLE", "limit", { diagnostic });
  const waiting = failureOf(acquire(pool));
  server.dials[0]?.refuse(limited);
  await settled();
  hasOthers = false;
  clock.step(100);
  await settled();
  server.dials[0]?.refuse(limited);
  expect(await waiting).toBe(limited);
  // The server itself has room.
  expect(share.fullCount).toBe(0);
});

test("a place in the share that comes free is taken at once, without a timer", async () => {
  const { pool, server, share, clock } = setUp({ limit: 1, waitTimeoutMs: 0 });
  const taken = share.tryTake();
  const waiting = acquire(pool);
  expect([server.backends.length, clock.pending]).toEqual([0, 0]);
  taken?.release();
  expect((await waiting).backend).toBe(server.backends[0]);
});

test("idle sessions are given up when the share falls", async () => {
  const { pool, server, share } = setUp({ capacity: 3 });
  const leases = await Promise.all([acquire(pool), acquire(pool), acquire(pool)]);
  for (const lease of leases) {
    void lease.release();
  }
  share.limit = 1;
  await settled();
  await settled();
  expect(server.live).toEqual([leases[2]?.backend]);
});

test("a few dials at a time are under way", async () => {
  const { pool, server } = setUp({ capacity: 50, limit: 50, acceptsAtOnce: false });
  for (let count = 0; count < 50; count += 1) {
    void acquire(pool).catch(() => undefined);
  }
  expect(server.dials).toHaveLength(4);
  server.dials[0]?.accept();
  await settled();
  expect(server.dials).toHaveLength(4);
});

test("each refused dial is a suspicion", async () => {
  const { pool, server, suspicions } = setUp({ acceptsAtOnce: false });
  const refused = failureOf(acquire(pool));
  const error = unreachable();
  server.dials[0]?.refuse(error);
  await refused;
  expect(suspicions).toEqual([error]);
});
