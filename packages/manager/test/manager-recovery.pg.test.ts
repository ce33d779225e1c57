import { writeFile } from "node:fs/promises";
import path from "node:path";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { PoolerServingStatus, PoolerType as RecordType, RoutingRole } from "@multipooler/topo";
import { expect, test } from "vitest";
import type { ManagerStatus } from "../src/manager-status.ts";
import { PoolerType } from "../src/record/pooler-type.ts";
import { ManagerFixture } from "./manager-fixture.ts";
import { PATIENCE } from "./patience.ts";
import { configFor, managerConnections } from "./server.ts";

const serves =
  (role: string, status: string) =>
  ({ ready, serving: { current } }: ManagerStatus): boolean =>
    ready && current.role === role && current.status === status;

test("a server that is killed is noticed at once, and served again when it is back", async () => {
  await using postgres = await startPostgres();
  // So rarely asked, it can only be noticed by its connections.
  await using fixture = new ManagerFixture({
    database: configFor(postgres),
    manager: { healthIntervalMs: 3_600_000 },
  });
  await fixture.open();
  await fixture.untilReady();

  await postgres.kill();
  const down = await fixture.until((status) => !status.ready);
  expect(down.state).toEqual({ name: "ready" });
  await fixture.until(({ serving }) => serving.current.status === "NOT_SERVING");
  const record = await fixture.untilRecord(
    ({ servingStatus }) => servingStatus === PoolerServingStatus.NOT_SERVING,
  );
  expect(record.type).toBe(RecordType.PRIMARY);
  const status = fixture.manager.status();
  expect(status.notReadyReason).toMatch("ECONNREFUSED");
  expect(status).toMatchObject({
    ready: false,
    database: { reachable: false, inRecovery: false },
    heartbeat: { mode: "off" },
  });

  await postgres.start();
  await fixture.until(serves("PRIMARY", "SERVING"));
  // Nothing of the sessions to the server that died is used again.
  expect(fixture.controller.calls.slice(-6)).toEqual([
    "PRIMARY SERVING",
    "REPLICA NOT_SERVING",
    "close",
    "initDBConfig",
    "open",
    "PRIMARY SERVING",
  ]);
});

test("once ready, even a wrong password is retried until it is right again", async () => {
  await using postgres = await startPostgres({ auth: "scram-sha-256" });
  let password = postgres.password;
  await using fixture = new ManagerFixture({
    database: { ...configFor(postgres), password: () => password },
  });
  await fixture.open();
  await fixture.untilReady();
  password = "wrong";
  await postgres.stop();
  await postgres.start();
  const down = await fixture.until(
    ({ database }) => database.lastError?.includes("SQLSTATE 28P01") === true,
  );
  expect(down.state).toEqual({ name: "ready" });
  password = postgres.password;
  await fixture.untilReady();
});

test("a password that cannot be looked up is told as that, and looked up again", async () => {
  await using postgres = await startPostgres({ auth: "scram-sha-256" });
  const missing = Object.assign(new Error("ENOENT: no such file"), { code: "ENOENT" });
  let lookUp = (): string => {
    throw missing;
  };
  await using fixture = new ManagerFixture({
    database: { ...configFor(postgres), password: () => lookUp() },
  });
  await fixture.open();
  const down = await fixture.until(({ database }) => database.lastError !== undefined);
  expect(down.state).toEqual({ name: "starting" });
  expect(down.notReadyReason).toBe(
    `the password of user "postgres" for PostgreSQL at 127.0.0.1:${postgres.port} ` +
      "cannot be looked up: ENOENT: no such file",
  );
  lookUp = () => postgres.password;
  await fixture.untilReady();
});

test("a server that grants too few connections is not served, and told how many it takes", async () => {
  await using postgres = await startPostgres({
    settings: { max_connections: "5", superuser_reserved_connections: "2", max_wal_senders: "0" },
  });
  await using fixture = new ManagerFixture({ database: configFor(postgres) });
  await fixture.open();
  const { notReadyReason } = await fixture.until(({ notReadyReason: reason }) =>
    Boolean(reason?.startsWith("cannot serve")),
  );
  expect(notReadyReason).toBe(
    `cannot serve as PRIMARY: PostgreSQL at 127.0.0.1:${postgres.port} grants 3 connections to ` +
      "ordinary roles, and a pooler needs at least 4; raise its max_connections",
  );
  expect(fixture.controller.calls).not.toContain("initDBConfig");
});

test("a server that is merely full is not left, though it has no connection for the manager", async () => {
  await using postgres = await startPostgres();
  await postgres.sql("CREATE ROLE app LOGIN");
  await postgres.sql("GRANT CREATE ON DATABASE postgres TO app");
  await using fixture = new ManagerFixture({ database: { ...configFor(postgres), user: "app" } });
  await fixture.open();
  await fixture.untilReady();
  const share = fixture.controller.database?.share;
  const slots = [share?.tryTake(), share?.tryTake()];

  await postgres.sql("ALTER ROLE app CONNECTION LIMIT 0");
  await postgres.sql(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'",
  );
  await expect.poll(() => share?.limit, PATIENCE).toBe(2);
  await expect
    .poll(() => fixture.manager.status().heartbeat, PATIENCE)
    .toMatchObject({ lastError: expect.stringContaining("SQLSTATE 53300") });
  await postgres.sql("ALTER ROLE app CONNECTION LIMIT -1");
  await expect.poll(() => managerConnections(postgres, "postgres"), PATIENCE).toBeGreaterThan(1);
  await expect.poll(() => share?.limit ?? 0, PATIENCE).toBeGreaterThan(2);
  expect(fixture.controller.calls.at(-1)).toBe("PRIMARY SERVING");
  expect(fixture.manager.status()).toMatchObject({ ready: true });
  expect(slots).not.toContain(undefined);
});

test("a server that hangs is left, does not pile up connections, and is served again", async () => {
  await using postgres = await startPostgres();
  await using fixture = new ManagerFixture({
    database: { ...configFor(postgres), statementTimeoutMs: 50, dialTimeoutMs: 100 },
  });
  await fixture.open();
  await fixture.untilReady();
  const backends = await postgres.sql(
    "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'multipooler %'",
  );
  const frozen = [postgres.pid, ...backends.map((row) => row["pid"])].filter(
    (pid) => typeof pid === "number",
  );
  try {
    for (const pid of frozen) {
      process.kill(pid, "SIGSTOP");
    }
    const down = await fixture.until((status) => !status.ready);
    expect(down.notReadyReason).toMatch(/does not answer/);
    await fixture.until(({ serving }) => serving.current.status === "NOT_SERVING");
  } finally {
    for (const pid of frozen) {
      wake(pid);
    }
  }
  await fixture.untilReady();
  // Two of the pool and the one of the heartbeat.
  await expect
    .poll(() => managerConnections(postgres, "postgres"), PATIENCE)
    .toBeLessThanOrEqual(3);
});

test("a standby is served read-only, gets no sidecar schema, and is a primary when promoted", async () => {
  await using postgres = await startStandby();
  await using fixture = new ManagerFixture({ database: configFor(postgres) });
  await fixture.open();
  const standby = await fixture.until(serves("REPLICA", "SERVING_RDONLY"));
  expect(standby.database.inRecovery).toBe(true);
  expect(standby.serving.current.reason).toBe(
    "the topology says PRIMARY, but PostgreSQL is in recovery",
  );
  expect(standby.heartbeat).toMatchObject({
    mode: "reader",
    lastError: "no primary wrote a heartbeat yet",
  });
  expect(await hasSidecar(postgres)).toBe(false);
  const readOnly = await fixture.untilRecord(
    ({ servingStatus }) => servingStatus === PoolerServingStatus.SERVING,
  );
  expect(readOnly.routingState?.role).toBe(RoutingRole.ROUTING_ROLE_REPLICA);

  await postgres.sql("SELECT pg_promote()");
  const promoted = await fixture.until(serves("PRIMARY", "SERVING"));
  expect(promoted.database.inRecovery).toBe(false);
  expect(promoted.heartbeat.mode).toBe("writer");
  expect(await hasSidecar(postgres)).toBe(true);
  await fixture.untilRecord(
    ({ routingState }) => routingState?.role === RoutingRole.ROUTING_ROLE_PRIMARY,
  );
});

test("a promotion that the topology does not order changes no role, and the reason says so", async () => {
  await using postgres = await startStandby();
  await using fixture = new ManagerFixture({
    database: configFor(postgres),
    initialType: PoolerType.Replica,
  });
  await fixture.open();
  await fixture.until(serves("REPLICA", "SERVING_RDONLY"));
  await postgres.sql("SELECT pg_promote()");
  const promoted = await fixture.until(
    ({ ready, serving }) =>
      ready &&
      serving.current.reason === "PostgreSQL is out of recovery, but the topology says REPLICA",
  );
  expect(promoted.serving.current.role).toBe("REPLICA");
  expect(await hasSidecar(postgres)).toBe(false);
});

test("the type in the topology makes and unmakes a primary while it runs", async () => {
  await using postgres = await startPostgres();
  await using fixture = new ManagerFixture({
    database: configFor(postgres),
    initialType: PoolerType.Replica,
  });
  await fixture.open();
  const before = await fixture.until(serves("REPLICA", "SERVING_RDONLY"));
  expect(before.serving.current.reason).toBe(
    "PostgreSQL is out of recovery, but the topology says REPLICA",
  );
  expect(await hasSidecar(postgres)).toBe(false);

  await fixture.setType(RecordType.PRIMARY);
  await fixture.until(serves("PRIMARY", "SERVING"));
  expect(await hasSidecar(postgres)).toBe(true);

  await fixture.setType(RecordType.REPLICA);
  const replica = await fixture.until(serves("REPLICA", "SERVING_RDONLY"));
  expect(replica.heartbeat.mode).toBe("reader");
  expect(fixture.controller.calls.slice(-4)).toEqual([
    "REPLICA NOT_SERVING",
    "PRIMARY SERVING",
    "REPLICA NOT_SERVING",
    "REPLICA SERVING_RDONLY",
  ]);

  // oxlint-disable-next-line typescript/no-deprecated -- An older Multigres may have written it.
  await fixture.setType(RecordType.DRAINED);
  const drained = await fixture.until((status) => !status.ready);
  expect(drained.notReadyReason).toBe("the topology says DRAINED");
});

/** A server in recovery, with nobody to follow. */
async function startStandby(): Promise<TestPostgres> {
  const postgres = await startPostgres();
  await postgres.stop();
  await writeFile(path.join(postgres.dataDir, "standby.signal"), "");
  await postgres.start();
  return postgres;
}

async function hasSidecar(postgres: TestPostgres): Promise<unknown> {
  const [row] = await postgres.sql(
    "SELECT to_regclass('multigres.heartbeat') IS NOT NULL AS found",
  );
  return row?.["found"];
}

/** One of them may have been a connection that was ending already. */
function wake(pid: number): void {
  try {
    process.kill(pid, "SIGCONT");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) {
      throw error;
    }
  }
}
