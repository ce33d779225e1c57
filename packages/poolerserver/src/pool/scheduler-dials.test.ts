import { expect, test } from "vitest";
import { acquire } from "../../test/borrowing.ts";
import { unreachable } from "../../test/fake-server.ts";
import { setUp } from "../../test/scheduler-scene.ts";
import { failureOf, settled } from "../../test/settled.ts";
import { MultiPoolerError } from "../error.ts";
import type { PoolerEvent } from "../pooler-event.ts";

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
