import { ReservationReason } from "@multipooler/query-service";
import type { Caller, ScramKeys } from "@multipooler/query-service";
import { scramKeysOf, startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MultiPoolerError } from "../src/error.ts";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { databaseOf, request, servingPooler } from "./pooler-fixture.ts";
import { RecordingSink } from "./recording-sink.ts";
import { ReservingClient } from "./reserving-client.ts";
import { failureOf } from "./settled.ts";

let postgres: TestPostgres;
const USERS = Array.from({ length: 10 }, (_, index) => `user_${index}`);

beforeAll(async () => {
  postgres = await startPostgres({ auth: "scram-sha-256", settings: { max_connections: "40" } });
  for (const user of [...USERS, "renewed", "compared"]) {
    await postgres.sql(`create role ${user} login password 'first'`);
  }
}, 60_000);

afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

async function run(
  pooler: MultiPooler,
  caller: Partial<Caller>,
  sql: string,
): Promise<(string | null)[]> {
  const sink = new RecordingSink();
  const change = { caller: { user: "", settings: new Map(), origin: "", ...caller } };
  await pooler.getExecutor().streamExecute(request(sql, change), sink);
  return sink.values;
}

function wrong(keys: ScramKeys): ScramKeys {
  const clientKey = Buffer.from(keys.clientKey);
  clientKey.writeUInt8(clientKey.readUInt8(31) ^ 1, 31);
  return { ...keys, clientKey };
}

const WHO = "select session_user || ' ' || current_user";
const REFUSED = { code: "AUTHENTICATION_FAILED", diagnostic: { code: "28P01" } };

test("a caller runs as the user that its keys are of", async () => {
  await using pooler = await servingPooler(databaseOf(postgres));
  for (const user of USERS.slice(0, 3)) {
    const keys = await scramKeysOf(postgres, user, "first");
    expect(await run(pooler, { user, keys }, WHO)).toEqual([`${user} ${user}`]);
    const settings = new Map([["role", user]]);
    expect(await run(pooler, { user, keys, settings }, WHO)).toEqual([`${user} ${user}`]);
  }
  expect(await run(pooler, {}, WHO)).toEqual([`${postgres.user} ${postgres.user}`]);
});

test("wrong keys never get a session, not even one that others have left", async () => {
  const database = databaseOf(postgres);
  await using pooler = await servingPooler(database);
  const keys = await scramKeysOf(postgres, "compared", "first");
  const pid = await run(pooler, { user: "compared", keys }, "select pg_backend_pid()");
  const other = await scramKeysOf(postgres, "user_0", "first");
  for (const attempt of [wrong(keys), { ...keys, clientKey: other.clientKey }, other]) {
    expect(await failureOf(run(pooler, { user: "compared", keys: attempt }, WHO))).toMatchObject(
      REFUSED,
    );
  }
  const short = { ...keys, clientKey: keys.clientKey.subarray(1) };
  expect(await failureOf(run(pooler, { user: "compared", keys: short }, WHO))).toMatchObject({
    code: "INVALID_ARGUMENT",
  });
  const right = await run(pooler, { user: "compared", keys }, "select pg_backend_pid()");
  expect(right).toEqual(pid);
  expect(database.suspicions).toEqual([]);
});

test("after a new password its keys get sessions, and the old ones no new one", async () => {
  await using pooler = await servingPooler(databaseOf(postgres));
  const old = await scramKeysOf(postgres, "renewed", "first");
  const pid = await run(pooler, { user: "renewed", keys: old }, "select pg_backend_pid()");
  await postgres.sql("alter role renewed password 'second'");
  const renewed = await scramKeysOf(postgres, "renewed", "second");
  const other = await run(pooler, { user: "renewed", keys: renewed }, "select pg_backend_pid()");
  expect(other).not.toEqual(pid);
  // As without a pooler: a session outlives the password that it was opened with.
  expect(await run(pooler, { user: "renewed", keys: old }, "select pg_backend_pid()")).toEqual(pid);
  await postgres.sql("select pg_terminate_backend($1::int)", { values: [pid[0]] });
  await expect
    .poll(async () => await failureOf(run(pooler, { user: "renewed", keys: old }, WHO)))
    .toMatchObject(REFUSED);
  expect(await run(pooler, { user: "renewed", keys: renewed }, "select pg_backend_pid()")).toEqual(
    other,
  );
});

test("a reservation is only that of the keys it was made with", async () => {
  await using pooler = await servingPooler(databaseOf(postgres));
  const user = "compared";
  const keys = await scramKeysOf(postgres, user, "first");
  const reserving = new ReservingClient(pooler, { user, keys });
  const { reservation } = await reserving.reserve("select 1", ReservationReason.Transaction);
  for (const other of [wrong(keys), undefined]) {
    const thief = new ReservingClient(pooler, { user, keys: other });
    const lost = { error: { code: "RESERVATION_LOST", diagnostic: { code: "40001" } } };
    thief.held = reservation;
    expect(await thief.run("select 1")).toMatchObject(lost);
    thief.held = reservation;
    expect(await thief.commit()).toMatchObject(lost);
    thief.held = reservation;
    expect((await thief.release()).error).toBeUndefined();
  }
  expect((await reserving.run(WHO)).values).toEqual([`${user} ${user}`]);
  expect((await reserving.commit()).tags).toEqual(["COMMIT"]);
});

test("a user without keys has the pooler's own credential", async () => {
  const database = {
    ...databaseOf(postgres),
    credential: async (user: string) => {
      if (user === "user_1") {
        return { type: "password" as const, password: "first" };
      }
      return { type: "password" as const, password: postgres.password };
    },
  };
  await using pooler = await servingPooler(database);
  expect(await run(pooler, { user: "user_1" }, WHO)).toEqual(["user_1 user_1"]);
  expect(await failureOf(run(pooler, { user: "user_2" }, WHO))).toMatchObject(REFUSED);
});

test("sessions of all users together keep to the capacity, and are closed with the pooler", async () => {
  const count =
    "select count(*)::int as n from pg_stat_activity where application_name like '%regular'";
  {
    await using pooler = await servingPooler(databaseOf(postgres), { capacity: 4 });
    const keys = await Promise.all(USERS.map((user) => scramKeysOf(postgres, user, "first")));
    await Promise.all(
      USERS.flatMap((user, index) =>
        Array.from({ length: 3 }, async () => {
          const values = await run(pooler, { user, keys: keys[index], origin: user }, WHO);
          expect(values).toEqual([`${user} ${user}`]);
          const [row] = await postgres.sql(count);
          expect(row?.["n"]).toBeLessThanOrEqual(4);
        }),
      ),
    );
  }
  expect(await postgres.sql(count)).toEqual([{ n: 0 }]);
});

test("the flood of one user is not the wait of the others", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), { capacity: 10 });
  const [flooding = "", ...others] = USERS;
  const keys = await scramKeysOf(postgres, flooding, "first");
  const stop = new AbortController();
  const flooded: number[] = [];
  const flood = Array.from({ length: 200 }, async () => {
    while (!stop.signal.aborted) {
      const begun = performance.now();
      await run(pooler, { user: flooding, keys, origin: "flood" }, "select pg_sleep(0.02)");
      flooded.push(performance.now() - begun);
    }
  });
  await expect.poll(() => flooded.length, { timeout: 20_000 }).toBeGreaterThan(200);
  const waits = await Promise.all(
    others.map(async (user) => {
      const own = await scramKeysOf(postgres, user, "first");
      const begun = performance.now();
      for (let round = 0; round < 5; round += 1) {
        await run(pooler, { user, keys: own, origin: user }, "select 1");
      }
      return (performance.now() - begun) / 5;
    }),
  );
  stop.abort();
  await Promise.all(flood);
  // Behind the flood's queue each statement would wait for as long as those of the flood.
  const ofFlood = flooded.toSorted((a, b) => a - b)[Math.floor(flooded.length / 2)] ?? 0;
  expect(Math.max(...waits)).toBeLessThan(ofFlood / 2);
}, 60_000);

test("an error of the wait names the role, its limit and the setting to raise", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), {
    capacity: 2,
    waitTimeoutMs: 200,
  });
  const [user = ""] = USERS;
  const keys = await scramKeysOf(postgres, user, "first");
  const held = Array.from(
    { length: 3 },
    async () =>
      await failureOf(
        run(pooler, { user, keys }, "select pg_sleep(1)").then(() =>
          Promise.reject(new Error("done")),
        ),
      ),
  );
  const failures = await Promise.all(held);
  const exhausted = failures.filter(
    (failure) => failure instanceof MultiPoolerError && failure.code === "POOL_EXHAUSTED",
  );
  expect(exhausted).not.toEqual([]);
  expect(exhausted[0]).toMatchObject({
    message: expect.stringMatching(/200 ms .*waitTimeoutMs; raise capacity.*role user_0 has/),
  });
});

test("a role that may have no connection is refused at once, and one that has one waits for that", async () => {
  const user = "limited";
  await postgres.sql(`create role ${user} login password 'first' connection limit 0`);
  await using pooler = await servingPooler(databaseOf(postgres), { waitTimeoutMs: 60_000 });
  const keys = await scramKeysOf(postgres, user, "first");
  expect(await failureOf(run(pooler, { user, keys }, "select 1"))).toMatchObject({
    diagnostic: { code: "53300", message: `too many connections for role "${user}"` },
  });
  await postgres.sql(`alter role ${user} connection limit 1`);
  const both = ["select pg_sleep(0.2)::text", "select pg_sleep(0.1)::text"].map(
    async (sql) => await run(pooler, { user, keys, origin: sql }, sql),
  );
  expect(await Promise.all(both)).toEqual([[""], [""]]);
});
