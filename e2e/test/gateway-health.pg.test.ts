import { connect } from "@multipooler/grpc-services/client";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import { startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { flagsFor } from "./flags.ts";

const READY_LIMIT_MS = 20_000;
const SERVING_PRIMARY = "SERVING PRIMARY of rule 1.0";
const DRAINING_PRIMARY = "DRAINING PRIMARY of rule 1.0";
const STOPPED = "NOT_SERVING REPLICA";

const STATUSES: Readonly<Record<number, string>> = {
  0: "SERVING",
  1: "NOT_SERVING",
  4: "DRAINING",
};
const ROLES: Readonly<Record<number, string>> = { 1: "PRIMARY", 2: "REPLICA" };

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterAll(async () => {
  await postgres?.[Symbol.asyncDispose]();
});

async function startPrimary(flags: Record<string, string> = {}): Promise<PoolerProcess> {
  const pooler = startPooler({ flags: { ...flagsFor(postgres), ...flags } });
  await pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
  return pooler;
}

/** What a gateway is told, message by message, until the stream ends. */
async function* healthOf(gateway: PoolerClient): AsyncGenerator<string, void, void> {
  for await (const { servingStatus, routingState } of gateway.streamPoolerHealth()) {
    const { role = 0, rule } = routingState ?? {};
    const byRule =
      rule === undefined ? "" : ` of rule ${rule.coordinatorTerm}.${rule.leaderSubterm}`;
    yield `${STATUSES[servingStatus]} ${ROLES[role]}${byRule}`;
  }
}

test("a gateway is told that PostgreSQL went, and that the primary serves again", async () => {
  await using pooler = await startPrimary();
  using gateway = connect({ address: await pooler.grpc() });
  const health = healthOf(gateway);
  expect((await health.next()).value).toBe(SERVING_PRIMARY);
  await postgres.stop("immediate");
  const seen: unknown[] = [];
  while (seen.at(-1) !== STOPPED) {
    seen.push((await health.next()).value);
  }
  expect(seen).not.toContain(SERVING_PRIMARY);
  await postgres.start();
  while (seen.at(-1) !== SERVING_PRIMARY) {
    seen.push((await health.next()).value);
  }
  expect(seen.slice(seen.indexOf(STOPPED) + 1).filter((state) => state !== STOPPED)).toEqual([
    SERVING_PRIMARY,
  ]);
  expect((await gateway.executeQuery({ query: "select 1" })).result?.commandTag).toBe("SELECT 1");
  await health.return();
});

test("a stop is told before the drain, and the stream ends in order after it", async () => {
  await using pooler = await startPrimary({ "connpool-drain-grace-period": "20s" });
  using gateway = connect({ address: await pooler.grpc() });
  const health = healthOf(gateway);
  expect((await health.next()).value).toBe(SERVING_PRIMARY);
  // It runs until the test has seen that the gateway is told of the drain.
  await postgres.sql("select pg_create_physical_replication_slot('held')");
  const running = gateway.executeQuery({
    query:
      "do $$ begin while exists (select from pg_replication_slots where slot_name = 'held') " +
      "loop perform pg_sleep(0.01); end loop; end $$",
  });
  await expect
    .poll(async () => {
      const [row] = await postgres.sql(
        "select count(*)::int as n from pg_stat_activity where query like 'do $$ begin while%'",
      );
      return row?.["n"];
    })
    .toBe(1);
  pooler.kill("SIGTERM");
  let told: unknown;
  while (told !== DRAINING_PRIMARY) {
    told = (await health.next()).value;
    expect(told).not.toBe(SERVING_PRIMARY);
  }
  await postgres.sql("select pg_drop_replication_slot('held')");
  expect((await running).result?.commandTag).toBe("DO");
  expect(await Array.fromAsync(health)).toContain(STOPPED);
  expect(await pooler.exited).toEqual({ code: 0, signal: null });
});
