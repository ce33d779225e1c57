import { beforeAll, expect, test } from "vitest";
import { ConformingPooler } from "./conforming-pooler.ts";
import { Gateway } from "./gateway.ts";
import { onState, shapeOf, stateOf, valueOf } from "./result-reading.ts";
import { useScene } from "./scene.ts";

const TRANSACTION = 1;
const TEMP_TABLE = 2;
/** A machine that does much else takes its time. */
const PATIENCE = { timeout: 20_000 } as const;
const CANCELLED = 1;
const DEADLINE_EXCEEDED = 4;
const BACKEND_PID = "select pg_backend_pid()::text";

const scene = useScene({ pooler: { controller: { capacity: 1 } } });

beforeAll(async () => {
  await scene.postgres.sql("create table ran (what text)");
});

/** How many statements sleep. */
async function sleeping(): Promise<number> {
  const rows = await scene.postgres.sql(
    "select 1 from pg_stat_activity where wait_event = 'PgSleep'",
  );
  return rows.length;
}

test("cancel: backend query cancelled, socket reused, status CANCELED", async () => {
  const pid = valueOf(await scene.gateway.streamExecute({ query: BACKEND_PID }));
  const call = scene.gateway.beginStream({
    query: "insert into ran select 'cancelled' from pg_sleep(60)",
  });
  await expect.poll(sleeping, PATIENCE).toBe(1);
  call.cancel();
  expect(await call.ended).toMatchObject({ code: CANCELLED });
  await expect.poll(sleeping, PATIENCE).toBe(0);
  expect(valueOf(await scene.gateway.streamExecute({ query: BACKEND_PID }))).toBe(pid);
  expect(await scene.postgres.sql("select 1 from ran where what = 'cancelled'")).toEqual([]);
});

test("deadline: backend query cancelled, socket reused, status DEADLINE_EXCEEDED", async () => {
  const pid = valueOf(await scene.gateway.streamExecute({ query: BACKEND_PID }));
  const late = await scene.gateway.streamExecute(
    { query: "select pg_sleep(60)" },
    { timeoutMs: 300 },
  );
  expect(late).toMatchObject({ code: DEADLINE_EXCEEDED, messages: [] });
  await expect.poll(sleeping, PATIENCE).toBe(0);
  expect(valueOf(await scene.gateway.streamExecute({ query: BACKEND_PID }))).toBe(pid);
});

/** Tells in a table when it was cancelled. */
const TELLING = `do $$ begin perform pg_sleep(60); exception when query_canceled then
  insert into cancelled values (clock_timestamp()); end $$`;
/** The best of several: a machine that does much else takes its time for all of them. */
const ROUNDS = 5;
const REACHED_MS = 100;

test("cancel and deadline reach PostgreSQL within 100 ms", async () => {
  await scene.postgres.sql("create table cancelled (at timestamptz)");
  const latencies = { cancel: [] as number[], deadline: [] as number[] };
  const reached = async (): Promise<number> => {
    const read = "select extract(epoch from at)::float8 * 1000 as ms from cancelled";
    await expect.poll(() => scene.postgres.sql(read), PATIENCE).toHaveLength(1);
    const [row] = await scene.postgres.sql(read);
    await scene.postgres.sql("truncate cancelled");
    return Number(row?.["ms"]);
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    const call = scene.gateway.beginStream({ query: TELLING });
    await expect.poll(sleeping, PATIENCE).toBe(1);
    const cancelledAt = Date.now();
    call.cancel();
    await call.ended;
    latencies.cancel.push((await reached()) - cancelledAt);

    const timeoutMs = 300;
    const dueAt = Date.now() + timeoutMs;
    await scene.gateway.streamExecute({ query: TELLING }, { timeoutMs });
    latencies.deadline.push((await reached()) - dueAt);
  }
  expect(Math.min(...latencies.cancel)).toBeLessThan(REACHED_MS);
  expect(Math.min(...latencies.deadline)).toBeLessThan(REACHED_MS);
});

test.each([true, false])(
  "cancel in a transaction ends it at once, as its gateway forgets it; begun before: %s",
  async (wasBegun) => {
    await scene.postgres.sql("truncate ran");
    const begin = { reservationOptions: { reasons: TRANSACTION } };
    const insert = "insert into ran values ('in vain')";
    const begun = wasBegun
      ? await scene.gateway.streamExecute({ query: insert, ...begin })
      : undefined;
    const call = scene.gateway.beginStream({
      query: "select pg_sleep(60)",
      ...(begun === undefined ? begin : { options: onState(begun) }),
    });
    await expect.poll(sleeping, PATIENCE).toBe(1);
    call.cancel();
    expect(await call.ended).toMatchObject({ code: CANCELLED });
    // The pool has one connection: it is free again, and nobody's transaction is open in it.
    const next = await scene.gateway.streamExecute({ query: BACKEND_PID }, { timeoutMs: 20_000 });
    expect(next).toMatchObject({ code: 0 });
    expect(await scene.postgres.sql("select 1 from ran")).toEqual([]);
    if (begun !== undefined) {
      expect(valueOf(next)).toBe(String(stateOf(begun)?.backendProcessId));
      const options = onState(begun);
      const after = await scene.gateway.streamExecute({ query: "select 1", options });
      expect(after.rpcError?.pgDiagnostic?.code).toBe("40001");
      expect((await scene.gateway.release({ options })).code).toBe(0);
    }
  },
);

test("cancel on a connection that is reserved without a transaction keeps it", async () => {
  const made = await scene.gateway.streamExecute({
    query: "create temp table kept (x int)",
    reservationOptions: { reasons: TEMP_TABLE },
  });
  const options = onState(made);
  const call = scene.gateway.beginStream({ query: "select pg_sleep(60)", options });
  await expect.poll(sleeping, PATIENCE).toBe(1);
  call.cancel();
  expect(await call.ended).toMatchObject({ code: CANCELLED });
  const after = await scene.gateway.streamExecute({ query: "table kept", options });
  expect(shapeOf(after)).toEqual(["SELECT 0", "state"]);
  await scene.gateway.release({ options });
});

test("a call that waits for a backend ends at its deadline, and never runs", async () => {
  const begun = await scene.gateway.streamExecute({
    query: "select 1",
    reservationOptions: { reasons: TRANSACTION },
  });
  const waiting = await scene.gateway.streamExecute(
    { query: "insert into ran values ('waited')" },
    { timeoutMs: 200 },
  );
  expect(waiting).toMatchObject({ code: DEADLINE_EXCEEDED });
  await scene.gateway.release({ options: onState(begun) });
  expect(shapeOf(await scene.gateway.streamExecute({ query: "select 1" }))).toEqual(["SELECT 1"]);
  expect(await scene.postgres.sql("select 1 from ran where what = 'waited'")).toEqual([]);
});

test("unresponsive backend closed within 2 s + 5 s", async () => {
  await using pooler = await ConformingPooler.start(scene.postgres, {
    controller: { capacity: 1 },
  });
  const gateway = new Gateway(pooler.client);
  const begun = await gateway.streamExecute({
    query: "select 1",
    reservationOptions: { reasons: TRANSACTION },
  });
  const pid = stateOf(begun)?.backendProcessId ?? 0;
  const call = gateway.beginStream({ query: "select pg_sleep(60)", options: onState(begun) });
  await expect.poll(sleeping, PATIENCE).toBe(1);
  process.kill(pid, "SIGSTOP");
  try {
    call.cancel();
    expect(await call.ended).toMatchObject({ code: CANCELLED });
    // The only place of the pool is free again, although the process is still there.
    const next = await gateway.streamExecute({ query: BACKEND_PID }, { timeoutMs: 8000 });
    expect(next).toMatchObject({ code: 0 });
    expect(valueOf(next)).not.toBe(String(pid));
  } finally {
    process.kill(pid, "SIGCONT");
  }
});
