import { connect } from "@multipooler/grpc-services/client";
import { startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { scramKeysOf, startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres, LoginKeys } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { flagsFor } from "./flags.ts";

let postgres: TestPostgres;
let pooler: PoolerProcess;
let address: string;

beforeAll(async () => {
  postgres = await startPostgres({ auth: "scram-sha-256" });
  await postgres.sql("create role alice login password 'secret'");
  pooler = startPooler({
    flags: {
      ...flagsFor(postgres),
      "connpool-admin-user": postgres.user,
      "connpool-admin-password": postgres.password,
    },
  });
  address = await pooler.grpc();
  await pooler.ready(200, { signal: AbortSignal.timeout(30_000) });
}, 60_000);

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

interface Options {
  readonly user?: string;
  readonly userAuth?: LoginKeys;
  readonly sessionSettings?: Readonly<Record<string, string>>;
}

/** The first value of the first row. */
async function ask(query: string, options: Options): Promise<string | undefined> {
  using client = connect({ address });
  let value: string | undefined;
  for await (const { result } of client.streamExecute({ query, options })) {
    if (result?.payload?.$case === "result") {
      const [row] = result.payload.value.rows;
      value ??= row === undefined ? undefined : Buffer.from(row.values).toString();
    }
  }
  return value;
}

test("the settings of a request hold for its statement", async () => {
  const sessionSettings = { application_name: "psql", work_mem: "7MB" };
  const show = "select current_setting('application_name') || ' ' || current_setting('work_mem')";
  expect(await ask(show, { sessionSettings })).toBe("psql 7MB");
  expect(await ask(show, {})).toMatch(/^multipooler.* 4MB$/);
  expect(await ask(show, { sessionSettings })).toBe("psql 7MB");
});

test("a setting that PostgreSQL refuses fails with its words", async () => {
  const asked = ask("select 1", { sessionSettings: { work_mem: "much" } });
  await expect(asked).rejects.toMatchObject({
    code: "UNKNOWN",
    message: expect.stringContaining('invalid value for parameter "work_mem": "much"'),
  });
});

test("a request runs as its user, with the keys of that", async () => {
  const userAuth = await scramKeysOf(postgres, "alice", "secret");
  expect(await ask("select current_user", { user: "alice", userAuth })).toBe("alice");
  const wrong = { ...userAuth, clientKey: Buffer.alloc(32) };
  await expect(ask("select 1", { user: "alice", userAuth: wrong })).rejects.toMatchObject({
    message: expect.stringContaining('password authentication failed for user "alice"'),
  });
  expect(await ask("select current_user", { user: "alice", userAuth })).toBe("alice");
});
