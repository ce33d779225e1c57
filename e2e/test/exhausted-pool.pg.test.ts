import { connect } from "@multipooler/grpc-services/client";
import { startPooler } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { flagsFor } from "./flags.ts";
import { probe } from "./probe.ts";

const SESSIONS = 2;
const WAITING = 50;
const ROUNDS = 20;
/** Far below the time that the sessions stay taken. */
const LIMIT_MS = 1000;

test("status and probes answer while every session is taken and statements wait", async () => {
  await using postgres = await startPostgres();
  const flags = { ...flagsFor(postgres), "connpool-global-capacity": String(SESSIONS) };
  await using pooler = startPooler({ flags });
  await pooler.ready(200, { signal: AbortSignal.timeout(20_000) });
  using client = connect({ address: await pooler.grpc() });
  const abort = new AbortController();
  const statements = Array.from({ length: SESSIONS + WAITING }, () =>
    client
      .executeQuery({ query: "select pg_sleep(600)" }, { signal: abort.signal })
      .catch((error: unknown) => error),
  );
  const sleeping = "select count(*)::int as n from pg_stat_activity where wait_event = 'PgSleep'";
  await expect.poll(async () => (await postgres.sql(sleeping))[0]?.["n"]).toBe(SESSIONS);

  for (let round = 0; round < ROUNDS; round += 1) {
    const startedAt = performance.now();
    expect((await client.status({ timeoutMs: LIMIT_MS })).ready).toBe(true);
    expect(await client.isServing("")).toBe(true);
    expect(await probe(pooler)).toMatchObject({ ready: true });
    expect(performance.now() - startedAt).toBeLessThan(LIMIT_MS);
  }
  abort.abort();
  expect(await Promise.all(statements)).toHaveLength(SESSIONS + WAITING);
});
