import { getEventListeners } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ManagerErrorCode } from "../src/manager-error.ts";
import { listenAsPeer } from "./peer.ts";
import { PATIENCE } from "./patience.ts";
import { managerConnections, serverFor } from "./server.ts";

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres({
    settings: {
      max_connections: "30",
      superuser_reserved_connections: "4",
      reserved_connections: "5",
    },
  });
});

afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

test("the share is of what the server grants to ordinary roles, or of what is configured if less", async () => {
  await using database = serverFor(postgres, "postgres");
  expect(database.handle.share.limit).toBe(0);
  await database.readFacts();
  // Less 3 for operators and the manager's own 3.
  expect(database.handle.share.limit).toBe(30 - 4 - 5 - 6);
  await using capped = serverFor(postgres, "postgres", { maxConnections: 8 });
  await capped.readFacts();
  expect(capped.handle.share.limit).toBe(8 - 3);
});

test("a statement that takes too long is ended on both sides", async () => {
  await using db = await postgres.createDatabase();
  await using database = serverFor(postgres, db.name, { statementTimeoutMs: 50 });
  await expect(database.query("SELECT pg_sleep(60)")).rejects.toMatchObject({
    code: ManagerErrorCode.DatabaseTimeout,
  });
  await expect
    .poll(
      () =>
        postgres.sql("SELECT pid FROM pg_stat_activity WHERE datname = $1 AND state = 'active'", {
          values: [db.name],
        }),
      PATIENCE,
    )
    .toEqual([]);
});

test("an abort ends the wait at once, also while every connection is taken, and leaves no listener", async () => {
  await using db = await postgres.createDatabase();
  await using database = serverFor(postgres, db.name, { statementTimeoutMs: 1_000 });
  const abort = new AbortController();
  const { signal } = abort;
  const running = [1, 2, 3, 4].map(() =>
    database.query("SELECT pg_sleep(60)", [], { signal }).catch((error: unknown) => error),
  );
  await expect.poll(() => managerConnections(postgres, db.name), PATIENCE).toBe(2);
  abort.abort();
  for (const outcome of await Promise.all(running)) {
    expect(outcome).toMatchObject({ code: ManagerErrorCode.Cancelled });
  }
  expect(getEventListeners(signal, "abort")).toEqual([]);
  expect(await database.readFacts()).toMatchObject({ inRecovery: false });
});

test("an error of PostgreSQL keeps its SQLSTATE, and the next statement works", async () => {
  await using database = serverFor(postgres, "postgres");
  await expect(database.query("SELECT 1/0")).rejects.toMatchObject({
    code: ManagerErrorCode.DatabaseError,
    sqlState: "22012",
  });
  expect(await database.query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
});

test("a backend that is terminated while idle is told, and replaced", async () => {
  await using db = await postgres.createDatabase();
  const lost = Promise.withResolvers<void>();
  await using database = serverFor(postgres, db.name, { onConnectionLost: lost.resolve });
  await database.readFacts();
  await postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", {
    values: [db.name],
  });
  await lost.promise;
  expect(await database.readFacts()).toMatchObject({ inRecovery: false });
});

test("after one connection broke no older one is used, so that the next statement works", async () => {
  await using db = await postgres.createDatabase();
  await using database = serverFor(postgres, db.name);
  // Both of the pool.
  await Promise.all([
    database.query("SELECT pg_sleep(0.1)"),
    database.query("SELECT pg_sleep(0.1)"),
  ]);
  await expect(
    database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1
       ORDER BY pid = pg_backend_pid()`,
      [db.name],
    ),
  ).rejects.toMatchObject({ code: ManagerErrorCode.DatabaseUnavailable });
  expect(await database.query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
});

test("a connection runs with the catalog's names only, and writes whatever the database's default", async () => {
  await using db = await postgres.createDatabase();
  await postgres.sql(`ALTER DATABASE ${db.name} SET search_path = public`);
  await using database = serverFor(postgres, db.name);
  const settings =
    "SELECT current_setting('search_path') AS path, current_setting('application_name') AS name";
  expect(await database.query(settings)).toEqual([
    { path: "pg_catalog", name: "multipooler zone1_a manager" },
  ]);
});

test("close lets a statement end within its limit; then nothing is left and nothing more is asked", async () => {
  await using db = await postgres.createDatabase();
  const database = serverFor(postgres, db.name, { statementTimeoutMs: 200 });
  const abandoned = new AbortController();
  const { signal } = abandoned;
  await database.readFacts();
  const cut = database
    .query("SELECT pg_sleep(60)", [], { signal })
    .catch((error: unknown) => error);
  // The connection is there, so the statement is sent before the next turn.
  await nextTurn();
  abandoned.abort();
  await Promise.all([database.close(), database.close()]);
  expect(await managerConnections(postgres, db.name)).toBe(0);
  expect(await cut).toMatchObject({ code: ManagerErrorCode.Cancelled });
  await expect(database.query("SELECT 1")).rejects.toMatchObject({
    code: ManagerErrorCode.NotOpen,
  });
});

test("close does not wait for a server that hangs", async () => {
  await using peer = await listenAsPeer(() => undefined);
  const database = serverFor(postgres, "postgres", {
    address: { type: "tcp", host: "127.0.0.1", port: peer.port },
    dialTimeoutMs: 600_000,
  });
  const facts = database.readFacts().catch((error: unknown) => error);
  await peer.visited();
  await database.close();
  await peer.left();
  expect(await facts).toMatchObject({ code: ManagerErrorCode.NotOpen });
});

test("a dedicated connection that is closed in the middle of a statement is gone", async () => {
  await using db = await postgres.createDatabase();
  await using database = serverFor(postgres, db.name);
  const connection = await database.openDedicated("heartbeat");
  const cut = connection.query("SELECT pg_sleep(60)", []).catch((error: unknown) => error);
  await connection.close();
  expect(await cut).toMatchObject({ code: ManagerErrorCode.DatabaseUnavailable });
  await connection.close();
});

test("a dial of a dedicated connection that is aborted leaves nothing", async () => {
  await using db = await postgres.createDatabase();
  await using database = serverFor(postgres, db.name);
  const abort = new AbortController();
  const opening = database
    .openDedicated("heartbeat", { signal: abort.signal })
    .catch((error: unknown) => error);
  abort.abort();
  expect(await opening).toMatchObject({ code: ManagerErrorCode.Cancelled });
  expect(getEventListeners(abort.signal, "abort")).toEqual([]);
  await expect.poll(() => managerConnections(postgres, db.name), PATIENCE).toBe(0);
});
