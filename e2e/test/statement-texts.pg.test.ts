import { connect } from "@multipooler/grpc-services/client";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { probe } from "./probe.ts";
import { servingPooler, valueOf } from "./serving-pooler.ts";

/** Far more than such a statement takes, far less than a reading that goes over the text again. */
const LIMIT_MS = 2000;

let postgres: TestPostgres;
let pooler: PoolerProcess;

beforeAll(async () => {
  postgres = await startPostgres();
  pooler = await servingPooler(postgres);
});

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

test.each([60, 100_000])("a line of %d dashes behind a constant", async (dashes) => {
  using client = connect({ address: await pooler.grpc() });
  const startedAt = performance.now();
  const query = `select 'a' ${"-".repeat(dashes)}\n, 1`;
  const [answer, ready] = await Promise.all([client.executeQuery({ query }), probe(pooler)]);
  expect(Buffer.from(answer.result?.rows[0]?.values ?? []).toString()).toBe("a1");
  expect(ready).toMatchObject({ ready: true });
  expect(performance.now() - startedAt).toBeLessThan(LIMIT_MS);
});

test.each([
  "insert into written values (1); copy written to stdout; insert into written values (2)",
  "begin; insert into written values (1); commit; copy written from stdin",
])("a COPY behind a write is refused, and nothing is written: %s", async (query) => {
  await postgres.sql("create table if not exists written (a int)");
  using client = connect({ address: await pooler.grpc() });
  await expect(client.executeQuery({ query })).rejects.toMatchObject({
    code: "UNIMPLEMENTED",
    diagnostic: { code: "0A000" },
  });
  expect(await postgres.sql("select a from written")).toEqual([]);
  expect(await valueOf(client, "select 1")).toBe("1");
});
