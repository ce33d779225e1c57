import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { systemClock } from "@multipooler/timing";
import { expect, test } from "vitest";
import { HeartbeatWriter } from "../src/heartbeat/heartbeat-writer.ts";
import type { HeartbeatDatabase } from "../src/heartbeat/heartbeat-writer.ts";
import { ensureSidecarSchema } from "../src/postgres/sidecar-schema.ts";
import { PATIENCE } from "./patience.ts";
import { RecordingLogger } from "./recording-logger.ts";
import { managerConnections, serverFor } from "./server.ts";

const LIMIT_MS = 1_000;

interface Scene {
  readonly postgres: TestPostgres;
  readonly writer: HeartbeatWriter;
  /** Resolve when the writer asks for a connection, and for the end of a backend. */
  readonly connecting: Promise<void>;
  readonly ending: Promise<void>;
  /** Stops each process of the server that takes or answers connections, until the test ends. */
  readonly freeze: () => Promise<void>;
}

/** Freezes the server, and resolves when the writer is where the name says. */
const MOMENTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  connects: async ({ writer, connecting, freeze }) => {
    await freeze();
    writer.open();
    await connecting;
  },
  writes: async ({ postgres, writer, freeze }) => {
    const lock = "LOCK TABLE multigres.heartbeat IN SHARE MODE; SELECT pg_sleep(60)";
    postgres.sql(lock).catch(() => undefined);
    const isLocked = "SELECT FROM pg_locks WHERE mode = 'ShareLock' AND granted";
    await expect.poll(() => postgres.sql(isLocked), PATIENCE).toHaveLength(1);
    writer.open();
    const waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    await expect.poll(() => postgres.sql(waits), PATIENCE).toHaveLength(1);
    await freeze();
  },
  "ends a write": async ({ writer, ending, freeze }) => {
    await untilRest(writer);
    await freeze();
    await ending;
  },
  rests: async ({ writer, freeze }) => {
    await untilRest(writer);
    await freeze();
  },
};

async function untilRest(writer: HeartbeatWriter): Promise<void> {
  writer.open();
  await expect
    .poll(() => writer.status(), PATIENCE)
    .toMatchObject({ lastWrittenAt: expect.any(Date) });
}

test.for(Object.entries(MOMENTS))(
  "a writer that %s is closed within a second on a server that is frozen",
  async ([, reach]) => {
    await using postgres = await startPostgres();
    await using database = serverFor(postgres, "postgres");
    await ensureSidecarSchema(database);
    const connecting = Promise.withResolvers<void>();
    const ending = Promise.withResolvers<void>();
    const observed: HeartbeatDatabase = {
      openDedicated: (purpose, options) => {
        connecting.resolve();
        return database.openDedicated(purpose, options);
      },
      execute: (script, options) => database.execute(script, options),
      query: (sql, values, options) => {
        if (sql.includes("pg_terminate_backend")) {
          ending.resolve();
        }
        return database.query(sql, values, options);
      },
    };
    const writer = new HeartbeatWriter({
      database: observed,
      leaderId: "zone1_a",
      // A write that is being ended is one that has failed.
      intervalMs: reach === MOMENTS["ends a write"] ? 300 : 60_000,
      clock: systemClock,
      logger: new RecordingLogger(),
      onChange: () => undefined,
    });
    using frozen = new DisposableStack();
    const freeze = async (): Promise<void> => {
      const clients = await postgres.sql(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
      );
      for (const pid of [postgres.pid, ...clients.map((row) => row["pid"])]) {
        process.kill(Number(pid), "SIGSTOP");
        frozen.defer(() => void process.kill(Number(pid), "SIGCONT"));
      }
    };
    await reach({
      postgres,
      writer,
      connecting: connecting.promise,
      ending: ending.promise,
      freeze,
    });
    const since = performance.now();
    await writer.close();
    expect(performance.now() - since).toBeLessThan(LIMIT_MS);
    frozen.dispose();
    await postgres.sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LOCK%'",
    );
    await database.close();
    await expect.poll(() => managerConnections(postgres, "postgres"), PATIENCE).toBe(0);
  },
);
