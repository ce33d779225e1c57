import { getEventListeners } from "node:events";
import { PoolerErrorCode } from "@multipooler/query-service";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ManagerFixture } from "./manager-fixture.ts";
import { PATIENCE } from "./patience.ts";
import { configFor, serverFor } from "./server.ts";

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres({ auth: "scram-sha-256", settings: { max_connections: "20" } });
});

afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

test("an administrative statement takes parameters and yields its rows by name", async () => {
  await using server = serverFor(postgres, "postgres");
  const rows = await server.handle.admin("SELECT $1::int + 1 AS next, $2::text AS word", [41, "x"]);
  expect(rows).toEqual([{ next: 42, word: "x" }]);
});

test("its error is a PoolerError with PostgreSQL's own words", async () => {
  await using server = serverFor(postgres, "postgres");
  await expect(server.handle.admin("SELECT $1::int / 0", [1])).rejects.toMatchObject({
    name: "PoolerError",
    code: PoolerErrorCode.DatabaseError,
    reservation: undefined,
    diagnostic: { severity: "ERROR", code: "22012", message: "division by zero", kind: "error" },
  });
  await expect(server.handle.admin("SELECT nonsense", [])).rejects.toMatchObject({
    diagnostic: { code: "42703", position: 8 },
  });
});

test("the controller's statements take turns, so that the manager's own find a connection", async () => {
  await using server = serverFor(postgres, "postgres", { statementTimeoutMs: 2_000 });
  const abort = new AbortController();
  const { signal } = abort;
  const flood = Array.from({ length: 10 }, () =>
    server.handle.admin("SELECT pg_sleep(60)", [], { signal }).catch((error: unknown) => error),
  );
  expect(await server.readFacts()).toMatchObject({ inRecovery: false });
  abort.abort();
  for (const outcome of await Promise.all(flood)) {
    expect(outcome).toMatchObject({ name: "PoolerError", code: PoolerErrorCode.Cancelled });
  }
  expect(getEventListeners(signal, "abort")).toEqual([]);
  expect(await server.handle.admin("SELECT 1 AS one", [])).toEqual([{ one: 1 }]);
});

test("with more connections for administration the controller's statements run side by side", async () => {
  const options = { adminConnections: 3, statementTimeoutMs: 30_000 };
  await using server = serverFor(postgres, "postgres", options);
  const { host, port, user, password } = postgres;
  const holder = new pg.Client({ host, port, user, password, database: "postgres" });
  await holder.connect();
  try {
    await holder.query("SELECT pg_advisory_lock(10)");
    const blocked = server.handle.admin("SELECT pg_advisory_xact_lock(10)", []);
    expect(await server.handle.admin("SELECT 1 AS one", [])).toEqual([{ one: 1 }]);
    await holder.query("SELECT pg_advisory_unlock(10)");
    await blocked;
  } finally {
    await holder.end();
  }
});

test("after the server was let go the handle refuses", async () => {
  const server = serverFor(postgres, "postgres");
  await server.close();
  await expect(server.handle.admin("SELECT 1", [])).rejects.toMatchObject({
    code: PoolerErrorCode.PreExecutionUnavailable,
  });
  expect(server.handle.share.tryTake()).toBeUndefined();
});

test("the credential is looked up at each dial, and is of the configured user only", async () => {
  let password: () => string | undefined = () => "first";
  await using server = serverFor(postgres, "postgres", { password: () => password() });
  const { handle } = server;
  expect(await handle.credential("postgres")).toEqual({ type: "password", password: "first" });
  password = () => undefined;
  expect(await handle.credential("postgres")).toEqual({ type: "none" });
  password = () => {
    throw new Error("ENOENT: no such file");
  };
  await expect(handle.credential("postgres")).rejects.toMatchObject({
    name: "PoolerError",
    code: PoolerErrorCode.PreExecutionUnavailable,
  });
  await expect(handle.credential("app")).rejects.toMatchObject({
    code: PoolerErrorCode.AuthenticationFailed,
    message: `no credential of user "app" for PostgreSQL at 127.0.0.1:${postgres.port} is configured`,
  });
});

test("each connection says whose it is and what it is for", async () => {
  await using fixture = new ManagerFixture({ database: configFor(postgres) });
  await fixture.open();
  await fixture.untilReady();
  expect(fixture.controller.database?.applicationName).toBe("multipooler zone1_a");
  const names = async (): Promise<unknown[]> => {
    const rows = await postgres.sql(
      `SELECT DISTINCT application_name FROM pg_stat_activity
       WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
         AND application_name <> 'multipooler zone1_a check' ORDER BY 1`,
    );
    return rows.map((row) => row["application_name"]);
  };
  await expect
    .poll(names, PATIENCE)
    .toEqual(["multipooler zone1_a heartbeat", "multipooler zone1_a manager"]);
});

test("a long identity in another script leaves room for the purpose", async () => {
  const name = "ä".repeat(28);
  await using fixture = new ManagerFixture({
    database: configFor(postgres),
    name,
  });
  await fixture.open();
  await fixture.untilReady();
  const prefix = fixture.controller.database?.applicationName ?? "";
  expect(prefix).toBe(`multipooler zone1_${"?".repeat(24)}`);
  await expect
    .poll(
      () =>
        postgres.sql("SELECT 1 FROM pg_stat_activity WHERE application_name = $1", {
          values: [`${prefix} heartbeat`],
        }),
      PATIENCE,
    )
    .toHaveLength(1);
});

test("with the whole share taken, an operator who is no superuser still gets in", async () => {
  await postgres.sql("CREATE ROLE operator LOGIN PASSWORD 'secret'");
  await using fixture = new ManagerFixture({ database: configFor(postgres) });
  await fixture.open();
  await fixture.untilReady();
  await using sessions = new AsyncDisposableStack();
  const share = fixture.controller.database?.share;
  const credentials = { host: postgres.host, port: postgres.port, database: "postgres" };
  while (share?.tryTake() !== undefined) {
    const session = new pg.Client({
      ...credentials,
      user: postgres.user,
      password: postgres.password,
    });
    sessions.defer(() => session.end());
    await session.connect();
  }
  expect(share?.used).toBe(11);
  const operator = new pg.Client({ ...credentials, user: "operator", password: "secret" });
  await operator.connect();
  await operator.end();
});
