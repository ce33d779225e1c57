import { startPostgres } from "@multipooler/test-postgres";
import type {
  TestPostgres,
  StartPostgresOptions,
  TemporaryDatabase,
} from "@multipooler/test-postgres";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";

/** Starts one server for all tests of a file. `prepare` gets it before the first test. */
export function useServer(
  prepare: (postgres: TestPostgres) => Promise<void> | void,
  options?: StartPostgresOptions,
): void {
  let postgres: TestPostgres | undefined;
  beforeAll(async () => {
    postgres = await startPostgres(options);
    await prepare(postgres);
  });
  afterAll(async () => {
    await postgres?.[Symbol.asyncDispose]();
  });
}

/**
 * Starts a server as {@link useServer} does, and creates a database for each test, which has to leave
 * no session there. `prepare` gets both before each test.
 */
export function useDatabases(
  prepare: (postgres: TestPostgres, database: TemporaryDatabase) => void,
  options?: StartPostgresOptions,
): void {
  let postgres: TestPostgres;
  let database: TemporaryDatabase;
  useServer((started) => {
    postgres = started;
  }, options);
  beforeEach(async () => {
    database = await postgres.createDatabase();
    prepare(postgres, database);
  });
  afterEach(async () => {
    const left = "select application_name, query from pg_stat_activity where datname = $1";
    // A process that was told to end does so in its own time.
    await expect
      .poll(() => postgres.sql(left, { values: [database.name] }), { timeout: 5000 })
      .toEqual([]);
    await database[Symbol.asyncDispose]();
  });
}

/** Waits until so many statements sleep in a database. */
export async function untilSleeping(
  postgres: TestPostgres,
  database: string,
  count: number,
): Promise<void> {
  const sleeping = `select count(*)::int as n from pg_stat_activity
    where datname = $1 and wait_event = 'PgSleep'`;
  for (;;) {
    const [row] = await postgres.sql(sleeping, { values: [database] });
    if (row?.["n"] === count) {
      return;
    }
  }
}
