import { connect } from "@multipooler/grpc-services/client";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { servingPooler, valueOf } from "./serving-pooler.ts";

let postgres: TestPostgres;
let pooler: PoolerProcess;
let clients: DisposableStack;
let a: PoolerClient;
let b: PoolerClient;

beforeAll(async () => {
  postgres = await startPostgres();
  await postgres.sql("create schema tenant_a");
  await postgres.sql(
    `create function context() returns text language sql volatile
     as $$ select set_config('search_path', 'tenant_a', false) $$`,
  );
  await postgres.sql("create view v as select context() as c");
  pooler = await servingPooler(postgres, { "connpool-global-capacity": "1" });
  clients = new DisposableStack();
  const address = await pooler.grpc();
  a = clients.use(connect({ address }));
  b = clients.use(connect({ address }));
});

afterAll(async () => {
  clients?.dispose();
  await pooler?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

test.each(["select c from v", "explain (analyze) select c from v"])(
  "a setting that a client changes behind a view is not another client's: %s",
  async (query) => {
    await a.executeQuery({ query });
    expect(await valueOf(b, "show search_path")).toBe('"$user", public');
  },
);

test.each(["select set_config('seed', '0.5', false)", "do $$ begin perform setseed(0.5); end $$"])(
  "a client cannot choose the random numbers of another: %s",
  async (query) => {
    await a.executeQuery({ query });
    const first = await valueOf(b, "select random()");
    await a.executeQuery({ query });
    expect(await valueOf(b, "select random()")).not.toBe(first);
  },
);
