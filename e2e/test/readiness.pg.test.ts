import { join } from "node:path";
import { connect } from "@multipooler/grpc-services/client";
import { startPooler } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { flagsFor } from "./flags.ts";
import { probe } from "./probe.ts";
import { ServerPair } from "./server-pair.ts";
import { READY_LIMIT_MS, servingPooler, valueOf } from "./serving-pooler.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import { inFile } from "./topology-flags.ts";

/** Of a line of the log. */
const WARN = 40;
const WITHIN = { timeout: READY_LIMIT_MS };

async function reload(postgres: TestPostgres, setting: string): Promise<void> {
  await postgres.sql(`alter system ${setting}`);
  await postgres.sql("select pg_reload_conf()");
}

test("a primary that cannot complete writes is not ready, and says since when and for what it waits", async () => {
  await using postgres = await startPostgres();
  await postgres.sql("create table t (x int)");
  await using pooler = await servingPooler(postgres);
  using client = connect({ address: await pooler.grpc() });
  const health = client.streamPoolerHealth()[Symbol.asyncIterator]();
  expect((await health.next()).value).toMatchObject({ servingStatus: 0 });

  await reload(postgres, "set synchronous_standby_names = 'ghost'");
  await expect
    .poll(() => probe(pooler), WITHIN)
    .toMatchObject({
      ready: false,
      code: "COMMITS_WAIT",
      since: expect.stringMatching(/^20.*Z$/),
      reason: expect.stringMatching(
        /^commits wait for a synchronous standby since 20.*Z: synchronous_standby_names is "ghost", connected: none$/,
      ),
      serving: "SERVING",
    });
  expect((await health.next()).value).toMatchObject({ servingStatus: 1 });
  expect(await client.isServing("")).toBe(false);
  expect(await valueOf(client, "select count(*) from t")).toBe("0");

  await reload(postgres, "reset synchronous_standby_names");
  await expect.poll(() => probe(pooler), WITHIN).toMatchObject({ ready: true });
  expect((await health.next()).value).toMatchObject({ servingStatus: 0 });

  await reload(postgres, "set default_transaction_read_only = on");
  await expect
    .poll(() => probe(pooler), WITHIN)
    .toMatchObject({
      ready: false,
      code: "WRITES_REFUSED",
      reason: expect.stringContaining("default_transaction_read_only is on"),
    });
  await expect(client.executeQuery({ query: "insert into t values (1)" })).rejects.toThrow(
    /read-only/,
  );
  expect((await health.next()).value).toMatchObject({ servingStatus: 1 });
  await reload(postgres, "reset default_transaction_read_only");
  await expect.poll(() => probe(pooler), WITHIN).toMatchObject({ ready: true });
  await client.executeQuery({ query: "insert into t values (1)" });
}, 60_000);

test("of two servers that claim to be the primary of a shard one takes writes", async () => {
  await using directory = await temporaryDirectory();
  await using pair = await ServerPair.start({ setUp: [] });
  const { primary: first, standby: second } = pair;
  await second.sql("select pg_promote()");
  const topology = inFile(join(directory.path, "topology.db"));
  await using a = await servingPooler(first, { ...topology, "service-id": "a" });
  await using b = startPooler({
    flags: { ...flagsFor(second), ...topology, "service-id": "b" },
  });
  await expect
    .poll(() => probe(b), WITHIN)
    .toMatchObject({
      ready: false,
      code: "SECOND_PRIMARY",
      reason: expect.stringMatching(
        /^the shard has a primary on another server, claimed by .*\/a /,
      ),
    });
  const line = await b.logged(({ msg }) => msg.startsWith("takes no writes: the shard has"));
  expect(line["level"]).toBe(WARN);
  using client = connect({ address: await b.grpc() });
  const write = client.executeQuery({ query: "create table t (x int)" });
  await expect(write).rejects.toThrow("the pooler has no PostgreSQL to serve yet");
  expect(await second.sql("select to_regclass('t')::text as found")).toEqual([{ found: null }]);
  expect(await probe(a)).toMatchObject({ ready: true });
}, 60_000);
