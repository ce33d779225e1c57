import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { databaseOf, query, servingPooler } from "./pooler-fixture.ts";

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);

afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

test("defaults that are changed hold for the next statements, and nothing that runs is cut", async () => {
  await using other = await postgres.createDatabase();
  const database = databaseOf(postgres, { database: other.name });
  await using pooler = await servingPooler(database, { capacity: 2 });
  const pid = async (): Promise<unknown> =>
    (await query(pooler, "select pg_backend_pid()")).values[0];
  const before = await pid();
  const running = query(pooler, "select 'ran to its end' from pg_sleep(6)");
  await postgres.sql(`alter database ${other.name} set work_mem = '7MB'`);
  await expect
    .poll(async () => (await query(pooler, "show work_mem")).values[0], { timeout: 6000 })
    .toBe("7MB");
  await postgres.sql(`alter role ${postgres.user} set statement_timeout = '77s'`);
  await expect
    .poll(async () => (await query(pooler, "show statement_timeout")).values[0], { timeout: 6000 })
    .toBe("77s");
  expect(await pid()).not.toBe(before);
  expect((await running).values).toEqual(["ran to its end"]);
  await postgres.sql(`alter role ${postgres.user} reset statement_timeout`);
}, 30_000);
