import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { systemClock } from "@multipooler/timing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { PostgresServer } from "../src/postgres/postgres-server.ts";
import { Heartbeat } from "../src/heartbeat/heartbeat.ts";
import { HeartbeatWriter } from "../src/heartbeat/heartbeat-writer.ts";
import { ManagerError, ManagerErrorCode } from "../src/manager-error.ts";
import type { HeartbeatStatus } from "../src/manager-status.ts";
import { ensureSidecarSchema } from "../src/postgres/sidecar-schema.ts";
import { PATIENCE } from "./patience.ts";
import { RecordingLogger } from "./recording-logger.ts";
import { managerConnections, serverFor } from "./server.ts";

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

test("the writer moves the row on under its name and the reader sees a small lag", async () => {
  await using db = await postgres.createDatabase();
  await using fixture = await HeartbeatFixture.open(db.name);
  await fixture.heartbeat.write();
  const first = await fixture.row();
  await expect.poll(async () => (await fixture.row()).ts > first.ts, PATIENCE).toBe(true);
  expect(first.leader).toBe("zone1_a");
  expect(first.key).toBe("0");
  expect(Math.abs(Date.now() - Number(first.ts / 1_000_000n))).toBeLessThan(10_000);
  expect(fixture.status()).toMatchObject({ mode: "writer", lastError: undefined });

  await fixture.heartbeat.read();
  const status = fixture.status();
  expect(status).toMatchObject({ mode: "reader", lastError: undefined });
  expect(status.mode === "reader" ? status.lagMs : undefined).toBeLessThan(10_000);
});

test("to end the heartbeat closes its connection", async () => {
  await using db = await postgres.createDatabase();
  await using fixture = await HeartbeatFixture.open(db.name);
  const before = await managerConnections(postgres, db.name);
  await fixture.heartbeat.write();
  await fixture.written();
  expect(await managerConnections(postgres, db.name)).not.toBe(before);
  await fixture.heartbeat.off();
  await fixture.heartbeat.off();
  expect(await managerConnections(postgres, db.name)).toBe(before);
  expect(fixture.status()).toEqual({ mode: "off" });
});

test("a heartbeat from the future is one without lag", async () => {
  await using db = await postgres.createDatabase();
  await using fixture = await HeartbeatFixture.open(db.name);
  await fixture.insert(BigInt(Date.now() + 3_600_000) * 1_000_000n);
  await fixture.heartbeat.read();
  expect(fixture.status()).toMatchObject({ mode: "reader", lagMs: 0, lastError: undefined });
});

test("an old heartbeat is a large lag, known as soon as the reader is open", async () => {
  await using db = await postgres.createDatabase();
  await using fixture = await HeartbeatFixture.open(db.name);
  await fixture.insert(BigInt(Date.now() - 60_000) * 1_000_000n);
  await fixture.heartbeat.read();
  const status = fixture.status();
  expect(status.mode === "reader" ? status.lagMs : undefined).toBeGreaterThanOrEqual(60_000);
});

test("a write that waits for a lock is ended in time, reported, and repeated when it can be", async () => {
  await using db = await postgres.createDatabase();
  await using fixture = await HeartbeatFixture.open(db.name, { intervalMs: 200 });
  await fixture.heartbeat.write();
  await fixture.written();
  const lock = postgres.sql("LOCK TABLE multigres.heartbeat IN SHARE MODE; SELECT pg_sleep(60)", {
    database: db.name,
  });
  const lockEnd = lock.catch((error: unknown) => error);
  await expect
    .poll(() => fixture.error(), PATIENCE)
    .toBe("the heartbeat could not be written in time; the backend was ended");
  // The one that waits now, if any, is the only one: those before it were ended.
  const waiting = await postgres.sql(
    "SELECT FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'",
    { values: [db.name] },
  );
  expect(waiting.length).toBeLessThanOrEqual(1);
  await postgres.sql(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND query LIKE 'LOCK%'",
    { values: [db.name] },
  );
  expect(await lockEnd).toMatchObject({ code: "57P01" });
  await expect.poll(() => fixture.error(), PATIENCE).toBeUndefined();
  expect(fixture.logger.messages("info")).toContain("writing the heartbeat works again");
});

test("nobody claims that a write was ended whose backend could not be", async () => {
  await using db = await postgres.createDatabase();
  await using fixture = await HeartbeatFixture.open(db.name);
  const { database } = fixture;
  const writer = new HeartbeatWriter({
    database: {
      openDedicated: (purpose, options) => database.openDedicated(purpose, options),
      execute: (script, options) => database.execute(script, options),
      query: (sql, values, options) =>
        sql.includes("pg_terminate_backend")
          ? Promise.reject(new ManagerError(ManagerErrorCode.DatabaseTimeout, "as told"))
          : database.query(sql, values, options),
    },
    leaderId: "zone1_a",
    intervalMs: 200,
    clock: systemClock,
    logger: fixture.logger,
    onChange: () => undefined,
  });
  const lock = postgres.sql("LOCK TABLE multigres.heartbeat IN SHARE MODE; SELECT pg_sleep(60)", {
    database: db.name,
  });
  const lockEnd = lock.catch((error: unknown) => error);
  writer.open();
  await expect
    .poll(() => writer.status(), PATIENCE)
    .toMatchObject({
      lastError:
        "the heartbeat could not be written in time; whether its backend ended is not known",
    });
  await writer.close();
  await postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", {
    values: [db.name],
  });
  expect(await lockEnd).toMatchObject({ code: "57P01" });
});

test("a heartbeat that no synchronous standby confirms is a failure, though it is there", async () => {
  await using replicated = await startPostgres();
  await using fixture = await HeartbeatFixture.open("postgres", {
    server: replicated,
    intervalMs: 200,
  });
  await fixture.heartbeat.write();
  await fixture.written();
  await replicated.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
  await replicated.sql("SELECT pg_reload_conf()");
  await expect
    .poll(() => fixture.error(), PATIENCE)
    .toBe("no synchronous standby confirmed the heartbeat in time; the backend was ended");
  expect(fixture.faults).toEqual([
    expect.stringMatching(
      /^commits wait for a synchronous standby since 20[^ ]+Z: synchronous_standby_names is "nobody", connected: none$/,
    ),
  ]);
  await replicated.sql("ALTER SYSTEM RESET synchronous_standby_names");
  await replicated.sql("SELECT pg_reload_conf()");
  await expect.poll(() => fixture.error(), PATIENCE).toBeUndefined();
  expect(fixture.faults).toEqual([expect.any(String), undefined]);
  await replicated.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
  await replicated.sql("SELECT pg_reload_conf()");
  await expect.poll(() => fixture.error(), PATIENCE).toMatch(/^no synchronous standby/);
  // To end it must not wait either.
  await fixture.heartbeat.off();
  expect(
    await replicated.sql("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"),
  ).toEqual([]);
  expect(fixture.heartbeat.writeFault).toBeUndefined();
});

test("without the table the reader says so, and the writer makes it again", async () => {
  await using db = await postgres.createDatabase();
  await using fixture = await HeartbeatFixture.open(db.name);
  await postgres.sql("DROP SCHEMA multigres CASCADE", { database: db.name });
  await fixture.heartbeat.read();
  expect(fixture.error()).toBe("no primary wrote a heartbeat yet");
  await fixture.heartbeat.write();
  await fixture.written();
  const gone = "the heartbeat's table was gone and was made again";
  expect(fixture.logger.messages("info")).toContain(gone);
  await postgres.sql("DROP TABLE multigres.heartbeat", { database: db.name });
  const made = (): number => fixture.logger.messages("info").filter((line) => line === gone).length;
  await expect.poll(made, PATIENCE).toBe(2);
  await expect.poll(() => fixture.error(), PATIENCE).toBeUndefined();
});

/** A heartbeat over a database that has the sidecar schema. Disposing ends both. */
class HeartbeatFixture implements AsyncDisposable {
  readonly logger: RecordingLogger = new RecordingLogger();
  readonly heartbeat: Heartbeat;
  /** The fault of the writer after each of its changes. */
  readonly faults: (string | undefined)[] = [];
  readonly database: PostgresServer;
  readonly #server: TestPostgres;
  readonly #name: string;

  private constructor(name: string, server: TestPostgres, intervalMs: number) {
    this.#name = name;
    this.#server = server;
    this.database = serverFor(server, name);
    this.heartbeat = new Heartbeat({
      database: this.database,
      leaderId: "zone1_a",
      intervalMs,
      clock: systemClock,
      logger: this.logger,
      onChange: () => this.faults.push(this.heartbeat.writeFault),
    });
  }

  static async open(
    name: string,
    { server = postgres, intervalMs = 1_000 } = {},
  ): Promise<HeartbeatFixture> {
    const fixture = new HeartbeatFixture(name, server, intervalMs);
    await ensureSidecarSchema(fixture.database);
    return fixture;
  }

  status(): HeartbeatStatus {
    return this.heartbeat.status();
  }

  error(): string | undefined {
    const status = this.status();
    return status.mode === "off" ? undefined : status.lastError;
  }

  /** Resolves once the writer has written. */
  async written(): Promise<void> {
    await vi.waitUntil(() => {
      const status = this.status();
      return status.mode === "writer" && status.lastWrittenAt !== undefined;
    }, PATIENCE);
  }

  async insert(ts: bigint): Promise<void> {
    await this.#server.sql("INSERT INTO multigres.heartbeat VALUES ('0', 'zone1_b', $1)", {
      database: this.#name,
      values: [ts],
    });
  }

  async row(): Promise<{ key: string; leader: string; ts: bigint }> {
    await this.written();
    const [row] = await this.#server.sql(
      "SELECT convert_from(shard_id, 'UTF8') AS key, leader_id, ts FROM multigres.heartbeat",
      { database: this.#name },
    );
    return {
      key: String(row?.["key"]),
      leader: String(row?.["leader_id"]),
      ts: BigInt(String(row?.["ts"])),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.heartbeat.off();
    await this.database.close();
  }
}
