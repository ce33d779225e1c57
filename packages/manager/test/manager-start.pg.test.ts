import type net from "node:net";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import {
  PoolerLifecycleStatus,
  PoolerServingStatus,
  PoolerType as RecordType,
} from "@multipooler/topo";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ManagerErrorCode } from "../src/manager-error.ts";
import type { ManagerStatus } from "../src/manager-status.ts";
import { ManagerFixture } from "./manager-fixture.ts";
import { listenAsPeer } from "./peer.ts";
import { configFor, managerConnections } from "./server.ts";

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres({ auth: "scram-sha-256", settings: { max_connections: "20" } });
});

afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

const isError = (status: ManagerStatus): boolean => status.state.name === "error";

test("a first open ends with a primary that serves, and with a record that says so", async () => {
  await using db = await postgres.createDatabase();
  await using fixture = new ManagerFixture({ database: configFor(postgres, db.name) });
  await fixture.open();
  expect(fixture.transport.listening).toBe(true);
  expect([...fixture.transport.offered]).toEqual(["query", "health", "manager", "consensus"]);
  const status = await fixture.untilReady();

  expect(status.state).toEqual({ name: "ready" });
  expect(status.notReadyReason).toBeUndefined();
  expect(status.type).toBe("PRIMARY");
  expect(status.serving.current).toMatchObject({ role: "PRIMARY", status: "SERVING" });
  expect(status.serving.wanted).toBeUndefined();
  expect(status.database).toMatchObject({ reachable: true, inRecovery: false });
  expect(status.database.serverVersion).toMatch(/^17\./);
  expect(status.heartbeat.mode).toBe("writer");
  expect(fixture.controller.calls).toEqual([
    "register",
    "REPLICA NOT_SERVING",
    "initDBConfig",
    "open",
    "PRIMARY SERVING",
  ]);
  expect(
    await fixture.untilRecord((record) => record.servingStatus === PoolerServingStatus.SERVING),
  ).toMatchObject({
    type: RecordType.PRIMARY,
    portMap: { grpc: 1234 },
    shardKey: { database: "postgres", tableGroup: "default", shard: "0-inf" },
    lifecycleStatus: { status: PoolerLifecycleStatus.LIFECYCLE_ACTIVE },
  });
});

test("the share counts the manager's own connections, and leaves the server's reserve and room for operators", async () => {
  await using fixture = new ManagerFixture({ database: configFor(postgres) });
  await fixture.open();
  const { database } = await fixture.untilReady();
  // 20 max_connections - 3 superuser_reserved_connections - 0 reserved_connections - 3 for operators
  expect(database.connectionsLimit).toBe(14);
  expect(database.connectionsUsed).toBe(3);
  const share = fixture.controller.database?.share;
  const slots = Array.from({ length: 20 }, () => share?.tryTake());
  expect(slots.filter((slot) => slot !== undefined)).toHaveLength(11);
  expect(fixture.manager.status().database.connectionsUsed).toBe(14);
});

test("over the unix socket it works as over TCP", async () => {
  await using fixture = new ManagerFixture({
    database: {
      ...configFor(postgres),
      address: { type: "socket", path: postgres.socketPath },
    },
  });
  await fixture.open();
  expect((await fixture.untilReady()).database.address).toEqual({
    type: "socket",
    path: postgres.socketPath,
  });
});

test("a wrong password is a permanent fault, told in one line", async () => {
  await using fixture = new ManagerFixture({
    database: { ...configFor(postgres), password: () => "wrong" },
  });
  await fixture.open();
  const status = await fixture.until(isError);
  expect(status.state).toMatchObject({
    error: {
      code: ManagerErrorCode.AuthenticationFailed,
      sqlState: "28P01",
      message:
        `PostgreSQL at 127.0.0.1:${postgres.port} refuses user "postgres": ` +
        'password authentication failed for user "postgres" (SQLSTATE 28P01)',
    },
  });
  expect(status.ready).toBe(false);
  expect(fixture.transport.listening).toBe(true);
  expect(fixture.controller.isServing()).toBe(false);
});

test("a password that is asked for and not configured is a permanent fault", async () => {
  await using fixture = new ManagerFixture({
    database: { ...configFor(postgres), password: () => undefined },
  });
  await fixture.open();
  expect((await fixture.until(isError)).state).toMatchObject({
    error: {
      code: ManagerErrorCode.AuthenticationFailed,
      message: `PostgreSQL at 127.0.0.1:${postgres.port} asks for the password of user "postgres", and none is configured`,
    },
  });
});

test("a database that does not exist is a permanent fault", async () => {
  await using fixture = new ManagerFixture({ database: configFor(postgres, "nowhere") });
  await fixture.open();
  expect((await fixture.until(isError)).state).toMatchObject({
    error: { code: ManagerErrorCode.DatabaseNotFound, sqlState: "3D000" },
  });
});

test.each([
  ["greets like an SSH server", (socket: net.Socket) => socket.write("SSH-2.0-OpenSSH_9.9\r\n")],
  [
    "answers like an HTTP server",
    (socket: net.Socket) =>
      socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")),
  ],
])("a peer that %s is a permanent fault", async (_, behave) => {
  await using peer = await listenAsPeer(behave);
  await using fixture = new ManagerFixture({
    database: {
      address: { type: "tcp", host: "127.0.0.1", port: peer.port },
      dialTimeoutMs: 200,
    },
  });
  await fixture.open();
  expect((await fixture.until(isError)).state).toMatchObject({
    error: {
      code: ManagerErrorCode.NotPostgresql,
      message: `what listens at 127.0.0.1:${peer.port} is not PostgreSQL`,
    },
  });
});

test("a peer that is silent is retried, since it may be a PostgreSQL that hangs", async () => {
  await using peer = await listenAsPeer(() => undefined);
  await using fixture = new ManagerFixture({
    database: {
      address: { type: "tcp", host: "127.0.0.1", port: peer.port },
      dialTimeoutMs: 50,
    },
  });
  await fixture.open();
  const status = await fixture.until(({ database }) => database.lastError !== undefined);
  expect(status.state).toEqual({ name: "starting" });
  expect(status.database.lastError).toMatch(/does not answer/);
});

test("an absent PostgreSQL is waited for, and served when it appears", async () => {
  await using later = await startPostgres();
  const database = configFor(later);
  await later.stop();
  await using fixture = new ManagerFixture({ database });
  await fixture.open();
  const waiting = await fixture.until((status) => status.database.lastError !== undefined);
  expect(waiting.state).toEqual({ name: "starting" });
  expect(waiting.notReadyCode).toBe("DATABASE_UNREACHABLE");
  expect(waiting.notReadyReason).toBe(
    `PostgreSQL at 127.0.0.1:${later.port} cannot be reached: connection refused (ECONNREFUSED)`,
  );
  expect(fixture.logger.messages("warn")).toContain(
    `connecting to PostgreSQL fails: ${waiting.notReadyReason}`,
  );
  await later.start();
  expect((await fixture.untilReady()).state).toEqual({ name: "ready" });
});

test("after the error state nothing is left of the manager", async () => {
  await using fixture = new ManagerFixture({ database: configFor(postgres, "nowhere") });
  await fixture.open();
  await fixture.until(isError);
  await fixture.manager.close();
  expect(fixture.transport.listening).toBe(false);
  expect(await managerConnections(postgres, "nowhere")).toBe(0);
  expect(fixture.manager.status().state).toEqual({ name: "starting" });
});
