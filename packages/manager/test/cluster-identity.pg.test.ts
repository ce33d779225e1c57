import { appendFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { PoolerType as RecordType } from "@multipooler/topo";
import type { ShardState } from "@multipooler/topo";
import { MemoryTopology } from "@multipooler/topo/memory";
import { expect, test } from "vitest";
import { PoolerType } from "../src/record/pooler-type.ts";
import { ManagerFixture } from "./manager-fixture.ts";
import { PATIENCE } from "./patience.ts";
import { copyServer } from "./server-copy.ts";
import { configFor, serverFor } from "./server.ts";
import { temporaryDir } from "./temporary-dir.ts";

const SHARD = { database: "postgres", tableGroup: "default", shard: "0-inf" };
/** Servers are copied, promoted and started again. */
const TIMEOUT_MS = 90_000;

function pooler(
  servers: MemoryTopology,
  name: string,
  postgres: TestPostgres,
  initialType: PoolerType,
): ManagerFixture {
  return new ManagerFixture({ servers, name, initialType, database: configFor(postgres) });
}

async function shardState({ topology }: ManagerFixture): Promise<ShardState> {
  return (await topology.global.primaries.get(SHARD)).record;
}

/** The WAL position at which timeline 2 of a server began. */
async function forkOf(postgres: TestPostgres): Promise<bigint> {
  await using server = serverFor(postgres, "postgres");
  const { cluster } = await server.readFacts();
  expect(cluster).toMatchObject({ timeline: 2, history: [{ timeline: 1 }] });
  return cluster?.history?.[0]?.end ?? 0n;
}

test("a server tells its cluster, its timeline and where the earlier ones ended", async () => {
  await using parts = new AsyncDisposableStack();
  const primary = parts.use(await startPostgres());
  const standby = await copyServer(parts, primary, { follows: true });
  const [row] = await primary.sql(
    "SELECT system_identifier::text AS id, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::text AS lsn FROM pg_control_system()",
  );
  const systemIdentifier = BigInt(String(row?.["id"]));
  await using ofPrimary = serverFor(primary, "postgres");
  const facts = await ofPrimary.readFacts();
  expect(facts).toMatchObject({
    inRecovery: false,
    place: `127.0.0.1:${primary.port}`,
    cluster: { systemIdentifier, timeline: 1, history: [] },
  });
  expect(facts.cluster?.lsn).toBeGreaterThanOrEqual(BigInt(String(row?.["lsn"])));
  await using ofStandby = serverFor(standby, "postgres");
  expect(await ofStandby.readFacts()).toMatchObject({
    inRecovery: true,
    cluster: { systemIdentifier, timeline: 1, history: [] },
  });
  await standby.sql("SELECT pg_promote()");
  const promoted = await ofStandby.readFacts();
  expect(promoted).toMatchObject({
    inRecovery: false,
    cluster: { systemIdentifier, timeline: 2, history: [{ timeline: 1 }] },
  });
  expect(promoted.cluster?.lsn).toBeGreaterThan(promoted.cluster?.history?.[0]?.end ?? 0n);
});

test(
  "a standby whose primary is away stays on the timeline that it has followed",
  { timeout: TIMEOUT_MS },
  async () => {
    await using parts = new AsyncDisposableStack();
    const former = parts.use(await startPostgres());
    const primary = await copyServer(parts, former, { follows: true });
    const standby = await copyServer(parts, former, { follows: true });
    // A server that stops sends its last word to who streams, so that none of the two is ahead of the other.
    await expect
      .poll(
        () => former.sql("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'"),
        PATIENCE,
      )
      .toHaveLength(2);
    await former.stop();
    await primary.sql("SELECT pg_promote()");
    const fork = await forkOf(primary);
    const { host, port, user } = primary;
    await standby.sql(
      `ALTER SYSTEM SET primary_conninfo = 'host=${host} port=${port} user=${user}'`,
    );
    await standby.sql("SELECT pg_reload_conf()");
    await primary.sql("CREATE TABLE beyond_the_fork ()");
    await using server = serverFor(standby, "postgres");
    const position = async (): Promise<unknown> => (await server.readFacts()).cluster;
    const isBeyond = async (): Promise<boolean> =>
      ((await server.readFacts()).cluster?.lsn ?? 0n) > fork;
    await expect.poll(isBeyond, PATIENCE).toBe(true);
    await expect.poll(position, PATIENCE).toMatchObject({ timeline: 2 });
    await primary.stop("immediate");
    await expect
      .poll(() => standby.sql("SELECT 1 FROM pg_stat_wal_receiver"), PATIENCE)
      .toEqual([]);
    const followed = { timeline: 2, history: [{ timeline: 1, end: fork }] };
    expect(await position()).toMatchObject(followed);
    // Who looks for the first time, as a pooler that starts now, sees the same.
    await using again = serverFor(standby, "postgres");
    expect((await again.readFacts()).cluster).toMatchObject(followed);
  },
);

test("a role that may not read the server's files serves all the same", async () => {
  await using parts = new AsyncDisposableStack();
  const primary = parts.use(await startPostgres());
  const standby = await copyServer(parts, primary, { follows: true });
  await standby.sql("SELECT pg_promote()");
  await standby.sql("CREATE ROLE plain LOGIN");
  await using server = serverFor(standby, "postgres", { user: "plain" });
  expect((await server.readFacts()).cluster).toMatchObject({ timeline: 2, history: undefined });
});

test("a data directory of another cluster under a primary is not served, until its own is back", async () => {
  await using parts = new AsyncDisposableStack();
  const own = parts.use(await startPostgres());
  await using fixture = pooler(new MemoryTopology(), "a", own, PoolerType.Primary);
  await fixture.open();
  await fixture.untilReady();
  const before = await shardState(fixture);

  await own.stop();
  const other = parts.use(await startPostgres({ port: own.port }));
  const refused = await fixture.until(({ notReadyCode }) => notReadyCode === "WRONG_CLUSTER");
  expect(refused.notReadyReason).toMatch(
    /^PostgreSQL at 127\.0\.0\.1:\d+ has system identifier \d+, and the shard \d+, so it is not served: give it the data of shard postgres\/default\/0-inf, /,
  );
  await fixture.until(({ serving }) => serving.current.status === "NOT_SERVING");
  expect(fixture.logger.messages("error")).toEqual([refused.notReadyReason]);
  expect((await shardState(fixture)).cluster).toEqual(before.cluster);
  const [schema] = await other.sql("SELECT to_regnamespace('multigres') AS found");
  expect(schema).toEqual({ found: null });

  await other.stop();
  await own.start();
  expect((await fixture.untilReady()).serving.current.role).toBe("PRIMARY");
});

test("a standby of another cluster is not served, and an operator can let the shard start over", async () => {
  await using parts = new AsyncDisposableStack();
  const servers = new MemoryTopology();
  const own = parts.use(await startPostgres());
  const foreign = parts.use(await startPostgres());
  const standby = await copyServer(parts, foreign, { follows: true });
  await using a = pooler(servers, "a", own, PoolerType.Primary);
  await a.open();
  await a.untilReady();
  await using b = pooler(servers, "b", standby, PoolerType.Replica);
  await b.open();
  await b.until(({ notReadyCode }) => notReadyCode === "WRONG_CLUSTER");
  expect(b.controller.calls).not.toContain("REPLICA SERVING_RDONLY");

  await a.manager.close();
  await b.topology.global.primaries.delete(SHARD);
  expect((await b.untilReady()).serving.current.status).toBe("SERVING_RDONLY");
});

test("a data directory of another cluster is not served while the topology is away, either", async () => {
  await using parts = new AsyncDisposableStack();
  const servers = new MemoryTopology();
  const poolerDir = parts.use(await temporaryDir()).path;
  const own = parts.use(await startPostgres());
  {
    const database = configFor(own);
    await using first = new ManagerFixture({ servers, database, poolerDir });
    await first.open();
    await first.untilReady();
  }
  await own.stop();
  const other = parts.use(await startPostgres({ port: own.port }));
  servers.setReachable(false);
  await using again = new ManagerFixture({ servers, database: configFor(other), poolerDir });
  await again.manager.open({ transports: [again.transport] });
  const refused = await again.until(({ notReadyCode }) => notReadyCode === "WRONG_CLUSTER");
  expect(refused.topology.typeSource).toBe("local memory");
  expect(again.controller.calls).not.toContain("PRIMARY SERVING");
});

test(
  "a server that somebody else promoted is noticed, and what has diverged is not served",
  { timeout: TIMEOUT_MS },
  async () => {
    await using parts = new AsyncDisposableStack();
    const servers = new MemoryTopology();
    const one = parts.use(await startPostgres());
    const two = await copyServer(parts, one, { follows: true });
    await using a = pooler(servers, "a", one, PoolerType.Primary);
    await a.open();
    await a.untilReady();
    await using b = pooler(servers, "b", two, PoolerType.Replica);
    await b.open();
    await b.untilReady();

    // Nobody told the topology. For a while it may be a primary that the shard has not heard of yet.
    await two.sql("SELECT pg_promote()");
    const promoted = await b.until(({ database }) => database.inRecovery === false);
    expect(promoted.type).toBe("REPLICA");
    const diverged = await b.until(({ notReadyCode }) => notReadyCode === "DIVERGED");
    expect(diverged.notReadyReason).toMatch(
      /^PostgreSQL at 127\.0\.0\.1:\d+ is on timeline 2, and the primary of the shard on 1, so it is not served: /,
    );
    expect(a.manager.status().ready).toBe(true);

    // The operator wants it to be the primary.
    await a.setType(RecordType.REPLICA);
    await a.until(({ type }) => type === "REPLICA");
    await b.setType(RecordType.PRIMARY);
    await b.until(({ serving }) => serving.current.role === "PRIMARY");
    expect(await shardState(b)).toMatchObject({
      primary: { pooler: { name: "b" } },
      cluster: { timeline: 2, history: [{ timeline: 1, end: await forkOf(two) }] },
    });
    const left = await a.until(({ notReadyCode }) => notReadyCode === "DIVERGED");
    // By its timeline, or already by what it has written since.
    expect(left.notReadyReason).toMatch(
      / is on timeline 1, and the primary of the shard on 2, | went on along timeline 1 after /,
    );

    // The old primary wrote on, and comes back as a standby: it cannot follow any more.
    await one.sql("CREATE TABLE written_on AS SELECT generate_series(1, 1000)");
    await one.stop();
    const conninfo = `host=${two.host} port=${two.port} user=${two.user}`;
    await writeFile(path.join(one.dataDir, "standby.signal"), "", { mode: 0o666 });
    const configuration = path.join(one.dataDir, "postgresql.auto.conf");
    await appendFile(configuration, `primary_conninfo = '${conninfo}'\n`);
    await one.start();
    const standby = await a.until(
      ({ notReadyCode, database }) => notReadyCode === "DIVERGED" && database.inRecovery === true,
    );
    await expect
      .poll(() => a.manager.status().notReadyReason, PATIENCE)
      .toContain("went on along timeline 1 after the shard left it");
    expect(standby.serving.current.status).not.toBe("SERVING");
    expect(a.controller.calls.at(-1)).toBe("REPLICA NOT_SERVING");
  },
);
