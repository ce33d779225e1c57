import { connect } from "@multipooler/grpc-services/client";
import type { CopyBidiExecuteInput, PoolerClient } from "@multipooler/grpc-services/client";
import { residentBytes, startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { copied } from "./copying-gateway.ts";
import { flagsFor } from "./flags.ts";
import { streamed } from "./reserving-gateway.ts";

const DATA = 1;
const DONE = 2;
const FAIL = 3;
const RESULT = 2;
const ERROR = 3;
const TO_STDOUT = 1;
const TRANSACTION = 1;
const COPY = 8;
const COMMIT = 1;
const ROLLBACK = 2;
const NO_SETTINGS = { rollbackSessionSettings: {} };
const MIB = 1_048_576;
const TOTAL_BYTES = 200 * MIB;
/** A fifth of the data: the collector lets some pieces lie about while they rush through. */
const GROWTH_LIMIT_BYTES = 96 * MIB;

let postgres: TestPostgres;
let pooler: PoolerProcess;
let client: PoolerClient;

beforeAll(async () => {
  postgres = await startPostgres();
  pooler = startPooler({ flags: flagsFor(postgres) });
  client = connect({ address: await pooler.grpc() });
  await pooler.ready(200, { signal: AbortSignal.timeout(20_000) });
});

beforeEach(async () => {
  await postgres.sql("drop table if exists t");
  await postgres.sql("create table t (a int, b text)");
});

afterAll(async () => {
  client?.close();
  await pooler?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

function data(text: string): CopyBidiExecuteInput {
  return { phase: DATA, data: Buffer.from(text) };
}

/** Waits until no session does anything, or is in a transaction. */
async function untilNothingRuns(): Promise<void> {
  const busy = `select state, query from pg_stat_activity where backend_type = 'client backend'
    and pid <> pg_backend_pid() and state <> 'idle'`;
  await expect.poll(() => postgres.sql(busy), { timeout: 10_000 }).toEqual([]);
}

test("COPY FROM STDIN outside of a transaction, with the end of data as psql sends it", async () => {
  const { ready, last, error } = await copied(client, { query: "copy t from stdin" }, [
    data("1\tone\n2\ttwo\n\\.\n"),
    { phase: DONE },
  ]);
  expect(error).toBeUndefined();
  expect(ready).toMatchObject({
    format: 0,
    columnFormats: [0, 0],
    reservedState: { reservationReasons: COPY, poolerId: { component: 1, cell: "zone1" } },
  });
  expect(last).toMatchObject({
    phase: RESULT,
    result: { commandTag: "COPY 2", rowsAffected: 2n },
    reservedState: undefined,
  });
  expect(await postgres.sql("select a from t order by a")).toEqual([{ a: 1 }, { a: 2 }]);
});

test("COPY TO STDOUT has one message a row", async () => {
  await postgres.sql("insert into t values (1, 'one'), (2, 'two')");
  const { ready, last, rows, bytes } = await copied(client, {
    query: "copy t to stdout",
    direction: TO_STDOUT,
  });
  expect(ready?.reservedState?.reservationReasons).toBe(COPY);
  expect([rows, bytes]).toEqual([2, 12]);
  expect(last).toMatchObject({ phase: RESULT, result: { commandTag: "COPY 2" } });
});

test("a query string with a COPY in it, as a gateway splits it", async () => {
  const first = await streamed(client, {
    query: "insert into t values (0, 'zero')",
    reservationOptions: { reasons: TRANSACTION, beginQuery: "BEGIN" },
  });
  const options = { reservedConnectionId: first.state?.reservedConnectionId ?? 0n };
  const copy = await copied(client, { query: "copy t from stdin", options }, [
    data("1\tone\n"),
    { phase: DONE },
  ]);
  expect(copy.ready?.reservedState?.reservationReasons).toBe(TRANSACTION | COPY);
  expect(copy.last?.reservedState).toMatchObject({
    ...options,
    reservationReasons: TRANSACTION,
  });
  const out = await copied(client, { query: "copy t to stdout", options, direction: TO_STDOUT });
  expect([out.rows, out.last?.reservedState?.reservationReasons]).toEqual([2, TRANSACTION]);
  const { result } = await client.concludeTransaction({
    options,
    conclusion: COMMIT,
    ...NO_SETTINGS,
  });
  expect(result?.commandTag).toBe("COMMIT");
  expect(await postgres.sql("select count(*)::int as n from t")).toEqual([{ n: 2 }]);
  await untilNothingRuns();
});

test("bad data in a transaction that the COPY begins", async () => {
  const { ready, last, error } = await copied(
    client,
    {
      query: "copy t from stdin",
      reservationOptions: { reasons: TRANSACTION, beginQuery: "begin;" },
    },
    [data("one\n"), { phase: DONE }],
  );
  expect(ready?.reservedState?.reservationReasons).toBe(TRANSACTION | COPY);
  expect(last).toMatchObject({
    phase: ERROR,
    errorDiagnostic: { code: "22P02" },
    reservedState: { reservationReasons: TRANSACTION },
  });
  expect(error).toMatchObject({ code: "UNKNOWN", diagnostic: { code: "22P02" } });
  const options = { reservedConnectionId: last?.reservedState?.reservedConnectionId ?? 0n };
  await client.concludeTransaction({ options, conclusion: ROLLBACK, ...NO_SETTINGS });
  await untilNothingRuns();
});

test("a client that has its COPY fail, and one that ends before it is done", async () => {
  const failed = await copied(client, { query: "copy t from stdin" }, [
    data("1\tone\n"),
    { phase: FAIL, errorMessage: "enough" },
  ]);
  expect(failed.error).toMatchObject({ code: "ABORTED", message: "COPY aborted: enough" });
  expect(failed.last).toMatchObject({ phase: ERROR, reservedState: undefined });
  const ended = await copied(client, { query: "copy t from stdin" }, [data("1\tone\n")]);
  expect(ended.error?.code).toBe("INTERNAL");
  expect(await postgres.sql("select a from t")).toEqual([]);
  await untilNothingRuns();
});

test("clients that go away in the middle leave nothing, in either direction", async () => {
  const abort = new AbortController();
  const onReady = async (): Promise<void> => {
    await Promise.resolve();
    abort.abort();
  };
  const options = { onReady, signal: abort.signal };
  const into = await copied(client, { query: "copy t from stdin" }, [data("1\tone\n")], options);
  expect(into.error?.code).toBe("CANCELLED");
  await untilNothingRuns();

  const other = connect({ address: await pooler.grpc() });
  const query = "copy (select generate_series(1, 1000000000000)) to stdout";
  const answers = other.copyBidiExecute(only({ query, direction: TO_STDOUT }));
  for await (const { phase } of answers) {
    if (phase === DATA) {
      break;
    }
  }
  other.close();
  await untilNothingRuns();
  expect(await postgres.sql("select a from t")).toEqual([]);
});

async function* only(
  input: CopyBidiExecuteInput,
): AsyncGenerator<CopyBidiExecuteInput, void, void> {
  await Promise.resolve();
  yield input;
}

test("an error of the server reaches a client that still sends, and would for ever", async () => {
  async function* endless(): AsyncGenerator<CopyBidiExecuteInput, void, void> {
    for (;;) {
      await Promise.resolve();
      yield data("none\n".repeat(20_000));
    }
  }
  const { last, error } = await copied(client, { query: "copy t from stdin" }, endless(), {
    signal: AbortSignal.timeout(20_000),
  });
  expect(last?.phase).toBe(ERROR);
  expect(error?.diagnostic?.code).toBe("22P02");
  await untilNothingRuns();
});

test(
  "200 MiB go in although the server stops in the middle, and out although the client does",
  { timeout: 180_000 },
  async () => {
    await postgres.sql(`create function wait() returns trigger language plpgsql as
      $$ begin perform pg_advisory_xact_lock_shared(7); return new; end $$`);
    await postgres.sql(
      "create trigger waits before insert on t for each row execute function wait()",
    );
    const locked = await streamed(client, {
      query: "select pg_advisory_xact_lock(7)",
      reservationOptions: { reasons: TRANSACTION },
    });
    const row = `1\t${"x".repeat(65_533)}\n`;
    const count = Math.ceil(TOTAL_BYTES / row.length);
    const before = residentBytes(pooler.pid);
    let peak = before;
    let sent = 0;
    async function* rows(): AsyncGenerator<CopyBidiExecuteInput, void, void> {
      for (; sent < count; sent += 1) {
        peak = Math.max(peak, residentBytes(pooler.pid));
        await Promise.resolve();
        yield data(row);
      }
      yield { phase: DONE };
    }
    const running = copied(client, { query: "copy t from stdin" }, rows());
    const waiting = "select 1 from pg_stat_activity where wait_event = 'advisory'";
    await expect.poll(() => postgres.sql(waiting), { timeout: 10_000 }).not.toEqual([]);
    expect(sent).toBeLessThan(count / 2);
    const options = { reservedConnectionId: locked.state?.reservedConnectionId ?? 0n };
    await client.concludeTransaction({ options, conclusion: ROLLBACK, ...NO_SETTINGS });
    expect((await running).last?.result?.commandTag).toBe(`COPY ${count}`);
    const growth = `grew by ${Math.round((peak - before) / MIB)} MiB`;
    expect(peak - before, growth).toBeLessThan(GROWTH_LIMIT_BYTES);

    let isFirst = true;
    const out = await copied(client, { query: "copy t to stdout", direction: TO_STDOUT }, [], {
      onData: (bytes) => {
        peak = Math.max(peak, residentBytes(pooler.pid));
        if (!isFirst || bytes.length === 0) {
          return undefined;
        }
        isFirst = false;
        return untilServerWaits();
      },
    });
    expect([out.rows, out.bytes]).toEqual([count, count * row.length]);
    const growthOut = `grew by ${Math.round((peak - before) / MIB)} MiB`;
    expect(peak - before, growthOut).toBeLessThan(GROWTH_LIMIT_BYTES);
    await untilNothingRuns();
  },
);

/** Resolves when PostgreSQL itself waits for its client: then backpressure has reached it. */
async function untilServerWaits(): Promise<void> {
  const waiting = "select 1 from pg_stat_activity where wait_event = 'ClientWrite'";
  await expect.poll(() => postgres.sql(waiting), { timeout: 20_000 }).not.toEqual([]);
}
