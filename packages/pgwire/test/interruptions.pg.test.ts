import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BackendConnection } from "../src/connection/backend-connection.ts";
import { ask, assertReady, query } from "./ask.ts";
import { RecordingSink } from "./recording-sink.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(async () => await postgres[Symbol.asyncDispose]());

function connect(): Promise<BackendConnection> {
  return BackendConnection.connect({
    address: { type: "tcp", host: postgres.host, port: postgres.port },
    user: postgres.user,
    database: "postgres",
  });
}

/** Waits until the server process of a connection is in the state that `condition` tells. */
async function until(connection: BackendConnection, condition: string): Promise<void> {
  for (;;) {
    const rows = await postgres.sql(
      `select 1 from pg_stat_activity where pid = $1 and (${condition})`,
      { values: [connection.processId] },
    );
    if (rows.length > 0) {
      return;
    }
  }
}

test("cancel interrupts what runs, and the next request is not touched", async () => {
  await using connection = await connect();
  const { request, ended } = query("select pg_sleep(60)", new RecordingSink());
  connection.send(request);
  await until(connection, "wait_event = 'PgSleep'");
  const cancelled = connection.cancel(request);
  const sink = new RecordingSink();
  const next = ask(connection, "select 1", sink);
  const end = await ended;
  expect(() => assertReady(end)).toThrow(
    expect.objectContaining({
      code: "POSTGRES",
      diagnostic: expect.objectContaining({ code: "57014" }),
    }),
  );
  await Promise.all([cancelled, next]);
  expect(sink.rows).toEqual([["1"]]);
});

test("cancel of a request that has ended does nothing", async () => {
  await using connection = await connect();
  const { request, ended } = query("select 1", new RecordingSink());
  connection.send(request);
  await ended;
  await connection.cancel(request);
  const sink = new RecordingSink();
  await ask(connection, "select 1", sink);
  expect(sink.rows).toEqual([["1"]]);
});

test("a terminated backend ends its requests with what PostgreSQL said", async () => {
  const connection = await connect();
  const requests = ["select pg_sleep(60)", "select 1"].map((sql) =>
    ask(connection, sql, new RecordingSink()),
  );
  const refused = Promise.all(
    requests.map((request) =>
      expect(request).rejects.toMatchObject({
        code: "CONNECTION_LOST",
        sent: true,
        diagnostic: { code: "57P01", severity: "FATAL" },
      }),
    ),
  );
  await until(connection, "wait_event = 'PgSleep'");
  await postgres.sql("select pg_terminate_backend($1)", { values: [connection.processId] });
  await refused;
  expect(connection.state).toBe("closed");
  expect(await connection.closed).toMatchObject({
    type: "lost",
    error: { diagnostic: { code: "57P01" } },
  });
});

test("an idle session that is terminated says so", async () => {
  const connection = await connect();
  await postgres.sql("select pg_terminate_backend($1)", { values: [connection.processId] });
  expect(await connection.closed).toMatchObject({
    type: "lost",
    error: { diagnostic: { code: "57P01" } },
  });
});

test("a session that is closed or destroyed is soon gone from the server", async () => {
  const [closed, destroyed] = [await connect(), await connect()];
  await closed.close();
  const sessions = "select pid from pg_stat_activity where pid = any($1)";
  expect(await postgres.sql(sessions, { values: [[closed.processId]] })).toEqual([]);
  destroyed.destroy();
  await destroyed.closed;
  while ((await postgres.sql(sessions, { values: [[destroyed.processId]] })).length > 0) {
    // The server ends the process in its own time.
  }
});

test("a server that is killed takes its sessions along, and can be reached again", async () => {
  const connection = await connect();
  const sink = new RecordingSink();
  const request = ask(connection, "select 1; select pg_sleep(60)", sink);
  const refused = expect(request).rejects.toMatchObject({ code: "CONNECTION_LOST", sent: true });
  await until(connection, "wait_event = 'PgSleep'");
  await postgres.kill();
  await refused;
  expect((await connection.closed).type).toBe("lost");
  await expect(connect()).rejects.toMatchObject({ code: "CONNECT_FAILED" });
  await postgres.start();
  await using again = await connect();
  expect(again.state).toBe("open");
});

test("a server that shuts down ends its sessions with what it says", async () => {
  const connection = await connect();
  await postgres.stop("fast");
  expect(await connection.closed).toMatchObject({
    type: "lost",
    error: { diagnostic: { code: "57P01" } },
  });
  await connection.close();
  await postgres.start();
});
