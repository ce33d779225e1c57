import { MAX_ROW_BLOCK_BYTES } from "@multipooler/query-service";
import type { ResultEvent } from "@multipooler/query-service";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BackendConnection } from "../src/connection/backend-connection.ts";
import { ask, assertReady, query } from "./ask.ts";
import { RecordingSink } from "./recording-sink.ts";

const MIB = 1024 * 1024;

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(async () => await postgres[Symbol.asyncDispose]());

function connect(): Promise<BackendConnection> {
  return BackendConnection.connect({
    address: { type: "socket", path: postgres.socketPath },
    user: postgres.user,
    database: "postgres",
  });
}

/** What this process holds in buffers, which is where rows are. */
function bufferedBytes(): number {
  return process.memoryUsage().arrayBuffers;
}

/** 100,000 rows of more than 1 KiB each. */
const LARGE = "select g, repeat('x', 1024) from generate_series(1, 100000) g";

test("a value of 10 MiB comes in pieces of its own, whole", async () => {
  await using connection = await connect();
  const sink = new RecordingSink();
  const value = "repeat('0123456789abcdef', 655360)";
  await ask(
    connection,
    `select v from (values (1, 'before'), (2, ${value}), (3, 'after')) t (i, v) order by i`,
    sink,
  );
  expect(sink.rows).toEqual([["before"], ["0123456789abcdef".repeat(655_360)], ["after"]]);
  expect(sink.rowCount).toBe(3);
  const rows = sink.events.filter((event) => event.type === "rows");
  expect(Math.max(...rows.map(({ bytes }) => bytes.length))).toBeLessThanOrEqual(
    MAX_ROW_BLOCK_BYTES,
  );
  const progress = rows.map(({ inProgress }) => inProgress);
  expect(progress.filter(Boolean).length).toBeGreaterThan(4);
  expect([progress.at(0), progress.at(-1)]).toEqual([false, false]);
  for (const { inProgress, rowCount } of rows) {
    expect(inProgress && rowCount > 0).toBe(false);
  }
});

describe("a slow reader", () => {
  test("stops the server, whatever the result holds", async () => {
    await using connection = await connect();
    const gate = Promise.withResolvers<void>();
    const blocked = Promise.withResolvers<void>();
    const sink = new RecordingSink();
    const before = bufferedBytes();
    const request = ask(connection, LARGE, {
      write: (event) => {
        sink.write(event);
        blocked.resolve();
        return gate.promise;
      },
    });
    await blocked.promise;
    const state = "select wait_event from pg_stat_activity where pid = $1";
    for (;;) {
      const [row] = await postgres.sql(state, { values: [connection.processId] });
      if (row?.["wait_event"] === "ClientWrite") {
        break;
      }
    }
    expect(sink.events).toHaveLength(1);
    expect(bufferedBytes() - before).toBeLessThan(4 * MIB);
    gate.resolve();
    await request;
    expect(sink.rowCount).toBe(100_000);
  });

  test("gets every row, while memory stays far below the result", async () => {
    await using connection = await connect();
    let [rowCount, bytes, peak] = [0, 0, 0];
    const before = bufferedBytes();
    await ask(connection, LARGE, {
      write: (event) => {
        if (event.type !== "rows") {
          return undefined;
        }
        rowCount += event.rowCount;
        bytes += event.bytes.length;
        peak = Math.max(peak, bufferedBytes() - before);
        return new Promise((resolve) => setImmediate(resolve));
      },
    });
    expect(rowCount).toBe(100_000);
    expect(bytes).toBeGreaterThan(100_000 * 1024);
    expect(peak).toBeLessThan(48 * MIB);
  });

  test("that gives up costs the rest of its result, not the session", async () => {
    await using connection = await connect();
    const gone = new Error("the client is gone");
    const events: ResultEvent[] = [];
    const refused = ask(connection, LARGE, {
      write: async (event) => {
        events.push(event);
        await new Promise((resolve) => setImmediate(resolve));
        throw gone;
      },
    });
    const sink = new RecordingSink();
    const next = ask(connection, "select 1", sink);
    await expect(refused).rejects.toBe(gone);
    await next;
    expect(events).toHaveLength(1);
    expect(sink.rows).toEqual([["1"]]);
  });

  test("that gives up can have the rest cancelled", async () => {
    await using connection = await connect();
    const gone = new Error("the client is gone");
    // In the select list, where the server yields rows as it makes them.
    const endless = "select generate_series(1, 1000000000), repeat('x', 1000)";
    let cancelled: Promise<void> | undefined;
    const { request, ended } = query(endless, {
      write: () => {
        cancelled = connection.cancel(request);
        throw gone;
      },
    });
    connection.send(request);
    const end = await ended;
    expect(() => assertReady(end)).toThrow(gone);
    expect(end).toMatchObject({ error: { diagnostic: { code: "57014" } } });
    await cancelled;
    expect(connection.idle).toBe(true);
  });
});
