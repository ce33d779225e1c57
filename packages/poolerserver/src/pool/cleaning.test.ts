import { PgwireError, PgwireErrorCode } from "@multipooler/pgwire";
import { expect, test } from "vitest";
import { acquire } from "../../test/borrowing.ts";
import type { FakeRequest } from "../../test/fake-backend.ts";
import { setUp } from "../../test/scheduler-scene.ts";
import { settled } from "../../test/settled.ts";
import { Taint } from "../classification/taint.ts";

const ALL = [
  "CLOSE ALL",
  "SET SESSION AUTHORIZATION DEFAULT",
  "RESET ALL",
  "DEALLOCATE ALL",
  "UNLISTEN *",
  "SELECT pg_catalog.pg_advisory_unlock_all()",
  "DISCARD TEMP",
  "DISCARD SEQUENCES",
].join(";");

test.each([
  ["settings", Taint.Settings, "SET SESSION AUTHORIZATION DEFAULT;RESET ALL"],
  ["sequences", Taint.Sequences, "DISCARD SEQUENCES"],
  ["temporary objects", Taint.Temporary, "DEALLOCATE ALL;DISCARD TEMP;DISCARD SEQUENCES"],
  ["state", Taint.State, ALL],
  ["state and settings", Taint.State | Taint.Settings, ALL],
])("of a session with %s left in it, that is taken away", async (_, taint, sql) => {
  const { pool, server } = setUp({ capacity: 1, onRequest: (request) => request.succeed() });
  const lease = await acquire(pool);
  lease.taint(taint);
  await lease.release();
  expect(server.backends[0]?.requests.map((request) => request.sql)).toEqual([sql]);
  expect((await acquire(pool)).backend).toBe(lease.backend);
});

test("a seed is replaced by one that nobody knows", async () => {
  const { pool, server } = setUp({ capacity: 1, onRequest: (request) => request.succeed() });
  for (const lease of [await acquire(pool), undefined]) {
    const held = lease ?? (await acquire(pool));
    held.taint(Taint.Seed);
    await held.release();
  }
  const seeds = server.backends[0]?.requests.map(({ sql }) => sql) ?? [];
  expect(seeds).toHaveLength(2);
  expect(seeds[0]).toMatch(/^SELECT pg_catalog\.setseed\(0(\.\d+)?(e-\d+)?\)$/);
  expect(seeds[0]).not.toBe(seeds[1]);
});

test("a session with something that lasts is closed", async () => {
  const { pool, server } = setUp({ capacity: 1 });
  const lease = await acquire(pool);
  lease.taint(Taint.Lasting | Taint.State);
  await lease.release();
  expect(server.backends[0]?.hasEnded).toBe(true);
  expect(server.backends[0]?.requests).toEqual([]);
});

test("an open transaction is rolled back first", async () => {
  const { pool, server } = setUp({
    capacity: 1,
    onRequest: (request) => {
      const [backend] = server.backends;
      if (request.sql === "ROLLBACK" && backend !== undefined) {
        backend.transactionStatus = "I";
      }
      request.succeed();
    },
  });
  const lease = await acquire(pool);
  const [backend] = server.backends;
  if (backend !== undefined) {
    backend.transactionStatus = "T";
  }
  lease.taint(Taint.Settings);
  await lease.release();
  expect(backend?.requests.map(({ sql }) => sql)).toEqual([
    "ROLLBACK",
    "SET SESSION AUTHORIZATION DEFAULT;RESET ALL",
  ]);
  expect((await acquire(pool)).backend).toBe(backend);
});

test("a session that could not be cleaned is not used again", async () => {
  const diagnostic = { kind: "error", severity: "ERROR", code: "57014", message: "no" } as const;
  const { pool, server } = setUp({
    capacity: 1,
    onRequest: (request) =>
      request.fail(new PgwireError(PgwireErrorCode.Postgres, "no", { diagnostic, sent: true })),
  });
  const lease = await acquire(pool);
  lease.taint(Taint.State);
  await lease.release();
  expect(server.backends[0]?.hasEnded).toBe(true);
  expect((await acquire(pool)).backend).toBe(server.backends[1]);
});

test("nobody gets a session while it is being cleaned", async () => {
  const requests: FakeRequest[] = [];
  const { pool } = setUp({ capacity: 1, onRequest: (request) => requests.push(request) });
  const lease = await acquire(pool);
  lease.taint(Taint.State);
  void lease.release();
  let isServed = false;
  const next = acquire(pool).then((served) => {
    isServed = true;
    return served;
  });
  await settled();
  expect(isServed).toBe(false);
  requests[0]?.succeed();
  expect((await next).backend).toBe(lease.backend);
});

test("a session whose read-only default is another one afterwards is not used again", async () => {
  const { pool, server } = setUp({ capacity: 1 });
  const lease = await acquire(pool);
  server.backends[0]?.parameters.set("default_transaction_read_only", "off");
  void lease.release();
  expect(server.backends[0]?.hasEnded).toBe(true);
});
