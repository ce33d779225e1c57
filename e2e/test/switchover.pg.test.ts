import { chmod } from "node:fs/promises";
import { embeddedBinDir } from "@multipooler/pgctld";
import { runProgram } from "@multipooler/pooler-process";
import { binariesModule } from "@multipooler/postgres-binaries";
import { PoolerServingStatus, RoutingRole } from "@multipooler/proto/clustermetadata";
import { expect, test } from "vitest";
import { ClusterNode } from "./switchover/cluster-node.ts";
import { PrimaryWatch } from "./switchover/primary-watch.ts";
import type { Health } from "./switchover/primary-watch.ts";
import { WriteLoad } from "./switchover/write-load.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** Each restarts one PostgreSQL and promotes another. */
const SWITCHOVERS = Number(process.env["MULTIPOOLER_SWITCHOVERS"] ?? "2");
const TIMEOUT_MS = 180_000 + SWITCHOVERS * 60_000;
const PATIENCE = { timeout: 60_000 };

/** Runs a `ctl` command that has to succeed; resolves with what it printed. */
async function ctl(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(["ctl", ...args]);
  expect([args[0], stderr, code]).toEqual([args[0], "", 0]);
  return stdout;
}

/** A primary `a` with a table, and a standby `b` that follows it; each commit waits for the other. */
async function pair(
  directory: string,
  parts: AsyncDisposableStack,
): Promise<readonly [a: ClusterNode, b: ClusterNode]> {
  await chmod(directory, 0o711);
  const programs = await embeddedBinDir(binariesModule);
  const a = parts.use(await ClusterNode.start({ name: "a", directory, programs }));
  await a.sql("create table kept (id int primary key)");
  const b = parts.use(await ClusterNode.start({ name: "b", directory, programs }, a));
  await ctl("term", "--address", a.address, "--set", "1");
  await ctl("term", "--address", b.address, "--set", "1", "--leader", "zone1/a");
  await ctl("set-primary", `127.0.0.1:${a.port}`, "--address", b.address, "--term", "1");
  await expect.poll(() => a.sql("select 1 from pg_stat_replication"), PATIENCE).toHaveLength(1);
  await ctl("replication", "synchronous", "zone1/b", "--address", a.address);
  return [a, b];
}

test(
  "the primary moves back and forth under a load of writes, and none that was acknowledged is lost",
  { timeout: TIMEOUT_MS },
  async ({ annotate }) => {
    await using directory = await temporaryDirectory();
    await using parts = new AsyncDisposableStack();
    const nodes = await pair(directory.path, parts);
    const watch = new PrimaryWatch();
    const watching = new AbortController();
    const followed = nodes.map((node) => watch.follow(node, watching.signal));
    const clients = nodes.map(({ client }) => client);
    const loads = [0, 1_000_000].map((first) => parts.use(new WriteLoad(clients, first)));
    const gaps: number[] = [];
    let [from, to] = nodes;
    for (let round = 0; round < SWITCHOVERS; round += 1) {
      const enough = loads.map(({ acknowledged }) => acknowledged.length + 20);
      const writesGoOn = (): boolean =>
        loads.every(({ acknowledged }, index) => acknowledged.length >= (enough[index] ?? 0));
      await expect.poll(writesGoOn, PATIENCE).toBe(true);
      const since = performance.now();
      const said = await ctl("switchover", "--from", from.address, "--to", to.address);
      expect(said).toContain(`${to.address} is the primary in term ${round + 2}`);
      for (const [index, { acknowledged }] of loads.entries()) {
        enough[index] = acknowledged.length + 20;
      }
      await expect.poll(writesGoOn, PATIENCE).toBe(true);
      gaps.push(...loads.map((load) => load.longestGapMs(since)));
      [from, to] = [to, from];
      await to.ready();
    }
    // The former primary knows who took its place.
    const status = await ctl("status", "--address", to.address);
    expect(status).toContain(`the primary is zone1/${from.name} at `);
    expect(status).not.toContain("nobody known leads it");
    for (const load of loads) {
      await load.stop();
    }
    watching.abort();
    await Promise.all(followed);
    const found = new Set((await from.sql("select id from kept")).map(({ id }) => id));
    const acknowledged = loads.flatMap((load) => load.acknowledged);
    expect(acknowledged.filter(({ id }) => !found.has(id))).toEqual([]);
    expect(watch.violations).toEqual([]);
    // The former primary has it all as well.
    const count = "select count(*)::int as n from kept";
    const rows = await from.sql(count);
    await expect.poll(() => to.sql(count), PATIENCE).toEqual(rows);
    gaps.sort((a, b) => a - b);
    const median = gaps[Math.floor(gaps.length / 2)] ?? 0;
    await annotate(
      `${SWITCHOVERS} switchovers, ${acknowledged.length} writes: no write was acknowledged for ` +
        `${Math.round(median)} ms (median), ${Math.round(gaps.at(-1) ?? 0)} ms (worst)`,
    );
  },
);

test(
  "a switchover is explained without a change, and one to a pooler that is no standby is refused",
  { timeout: TIMEOUT_MS },
  async () => {
    await using directory = await temporaryDirectory();
    await using parts = new AsyncDisposableStack();
    const [a, b] = await pair(directory.path, parts);
    const between = ["--from", a.address, "--to", b.address];
    const steps = await ctl("switchover", ...between, "--explain");
    const names = [
      "recruit",
      "stop serving",
      "restart as standby",
      "catch up",
      "follow",
      "promote",
      "claim the shard",
    ];
    expect(steps.match(new RegExp(names.join("|"), "g"))).toEqual(expect.arrayContaining(names));
    expect(await ctl("term", "--address", a.address)).toMatch(
      /^term 1: zone1\/a leads it\nprimary/,
    );
    const reversed = await runProgram([
      "ctl",
      "switchover",
      "--from",
      b.address,
      "--to",
      a.address,
    ]);
    expect([reversed.code, reversed.stderr]).toEqual([
      1,
      `multipooler: the pooler at --from ${b.address} is not of type PRIMARY\n`,
    ]);
    // A demotion is undone by the primary itself, and its standby never noticed.
    expect(await ctl("demote", "--address", a.address)).toMatch(/^The server is a standby/);
    expect(await ctl("undo-demote", "--address", a.address)).toMatch(/^The pooler is the primary/);
    await a.ready();
    await a.client.executeQuery({ query: "insert into kept values (1)" });
    await expect.poll(() => b.sql("select id from kept"), PATIENCE).toEqual([{ id: 1 }]);
  },
);

test("the watch over the primaries sees a second one", () => {
  const watch = new PrimaryWatch();
  const primary = (coordinatorTerm: bigint): Health => ({
    servingStatus: PoolerServingStatus.SERVING,
    routingState: {
      role: RoutingRole.ROUTING_ROLE_PRIMARY,
      rule: { coordinatorTerm, leaderSubterm: 0n },
    },
  });
  watch.observe("a", primary(1n));
  watch.observe("b", primary(2n));
  expect(watch.violations).toEqual([]);
  watch.observe("b", primary(1n));
  expect(watch.violations).toEqual(["a and b in term 1"]);
});
