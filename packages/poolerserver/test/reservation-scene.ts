import type { TestPostgres, TemporaryDatabase } from "@multipooler/test-postgres";
import { afterEach, beforeEach } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { databaseOf, query, servingPooler } from "./pooler-fixture.ts";
import { ReservingClient } from "./reserving-client.ts";
import { useDatabases } from "./test-server.ts";

/** A pooler with two connections, and a client that reserves one. */
export interface ReservationScene {
  readonly postgres: TestPostgres;
  readonly database: TemporaryDatabase;
  readonly pooler: MultiPooler;
  readonly client: ReservingClient;
}

/** Has a pooler for each test, which has to leave nothing. `prepare` gets it before each test. */
export function useReservations(prepare: (scene: ReservationScene) => void): void {
  let postgres: TestPostgres;
  let database: TemporaryDatabase;
  let pooler: MultiPooler;
  let client: ReservingClient;

  useDatabases(
    (started, created) => {
      postgres = started;
      database = created;
    },
    { settings: { max_connections: "40" } },
  );

  beforeEach(async () => {
    const handle = databaseOf(postgres, { database: database.name });
    pooler = await servingPooler(handle, { capacity: 2 });
    await query(pooler, "create table t (x int unique deferrable initially deferred)");
    client = new ReservingClient(pooler);
    prepare({ postgres, database, pooler, client });
  });

  afterEach(async () => {
    await client.release();
    await pooler.setServingType({
      status: "DRAINED",
      role: "PRIMARY",
      reason: "nothing may be left",
    });
    await pooler.close();
  });
}

/** The PID of the only idle session, which the pool would lend next. */
export async function nextProcessId(pooler: MultiPooler): Promise<number> {
  return Number((await query(pooler, "select pg_backend_pid()")).values[0]);
}
