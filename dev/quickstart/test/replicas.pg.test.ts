import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { runProgram } from "@multipooler/pooler-process";
import { expect, onTestFinished, test } from "vitest";
import { membersIn } from "../src/members.ts";
import type { Member } from "../src/members.ts";
import { allGone, serverPid, Site, untilGone } from "./quickstart-process.ts";

/** Three servers and three poolers are started, some of it twice. */
const TIMEOUT_MS = 120_000;
const PATIENCE = { timeout: 20_000 };

async function ctl({ ports }: Member, ...args: readonly string[]): Promise<string> {
  const address = `127.0.0.1:${ports.grpc}`;
  const { stdout, stderr } = await runProgram(["ctl", ...args, "--address", address]);
  return stdout + stderr;
}

async function query(member: Member, sql: string): Promise<string> {
  return await ctl(member, "query", "--format", "csv", sql);
}

async function types(site: Site): Promise<string> {
  const { stdout } = await runProgram([
    "ctl",
    "topo",
    "list",
    "poolers",
    "--topo-implementation",
    "sqlite",
    "--topo-global-server-addresses",
    site.places.topology,
  ]);
  return stdout;
}

test(
  "a primary and two standbys, each with its pooler, from zero in one command, and again from what is there",
  { timeout: TIMEOUT_MS },
  async () => {
    const site = await Site.create(2);
    const members = membersIn(site.directory, site.ports, 2);
    const [primary, ...replicas] = members;
    const first = site.start("--replicas", "2");
    await first.printed("Ctrl-C stops all of it");
    expect(first.complaints).toBe("");
    for (const { ports } of members) {
      expect(first.output).toContain(`psql -h 127.0.0.1 -p ${ports.psql} -U postgres`);
    }
    await query(primary, "create table kept as select 'on all' as text");
    for (const replica of replicas) {
      await expect
        .poll(() => query(replica, "select text from kept"), PATIENCE)
        .toBe("text\non all\n");
      expect(await query(replica, "create table t ()")).toContain("25006");
    }
    const followers = "select application_name from pg_stat_replication order by 1";
    expect(await query(primary, followers)).toBe(
      "application_name\nzone1_quickstart-1\nzone1_quickstart-2\n",
    );
    // A replica has what it needs to log in to whom it is told to follow.
    const [standby] = replicas;
    assert.ok(standby);
    expect(await ctl(standby, "replication", "reset")).toMatch(/^receiver +none$/m);
    const address = `127.0.0.1:${primary.ports.postgres}`;
    const force = ["--force", "no coordinator"];
    expect(await ctl(standby, "set-primary", address, ...force)).toBe(
      `The standby follows ${address}.\n`,
    );
    await expect
      .poll(() => ctl(primary, "followers"), PATIENCE)
      .toMatch(/^zone1\/quickstart-1 +streaming /m);

    const table = await types(site);
    expect(table).toMatch(/^ multipooler-zone1-quickstart +\| PRIMARY +\| SERVING /m);
    expect(table).toMatch(/^ multipooler-zone1-quickstart-1 +\| REPLICA +\| SERVING /m);
    expect(table).toMatch(/^ multipooler-zone1-quickstart-2 +\| REPLICA +\| SERVING /m);

    const pids = [await site.poolerPid(), ...(await site.replicaPids())];
    pids.push(...(await Promise.all(members.map(({ places }) => serverPid(places)))));
    expect(pids).toHaveLength(6);
    expect(await first.stop("SIGINT")).toBe(0);
    expect(allGone(...pids)).toBe(true);

    // Without the flag it brings back what there is.
    const second = site.start();
    await second.printed("Ctrl-C stops all of it");
    await query(primary, "insert into kept values ('once more')");
    for (const replica of replicas) {
      await expect
        .poll(() => query(replica, "select count(*) from kept"), PATIENCE)
        .toBe("count\n2\n");
    }
    expect(await second.stop("SIGINT")).toBe(0);
    expect(second.complaints).toBe("");
  },
);

test(
  "a start that was killed leaves no pooler of a replica to the next one",
  { timeout: TIMEOUT_MS },
  async () => {
    const site = await Site.create(1);
    const [primary, replica] = membersIn(site.directory, site.ports, 1);
    assert.ok(replica);
    const first = site.start("--replicas=1");
    await first.printed("Ctrl-C stops all of it");
    const [pooler, orphans] = [await site.poolerPid(), await site.replicaPids()];
    const servers = [await serverPid(primary.places), await serverPid(replica.places)];
    await first.stop("SIGKILL");

    const second = site.start();
    await second.printed("Ctrl-C stops all of it");
    expect(await site.poolerPid()).toBe(pooler);
    expect([await serverPid(primary.places), await serverPid(replica.places)]).toEqual(servers);
    expect(allGone(...orphans)).toBe(true);
    expect(await query(replica, "select pg_is_in_recovery() as standby")).toBe("standby\nt\n");
    expect(await second.stop("SIGINT")).toBe(0);
    await untilGone(pooler, ...servers);
  },
);

test(
  "a replica takes the place of the primary by one command, and keeps it over a restart",
  { timeout: TIMEOUT_MS },
  async () => {
    const site = await Site.create(1);
    const [former, next] = membersIn(site.directory, site.ports, 1);
    assert.ok(next);
    const first = site.start("--replicas=1");
    await first.printed("Ctrl-C stops all of it");
    const [from, to] = [former, next].map(({ ports }) => `127.0.0.1:${ports.grpc}`);
    expect(first.output).toContain(`switchover --from ${from} --to ${to}`);
    await query(former, "create table kept as select 1 as id");
    const moved = await runProgram(["ctl", "switchover", "--from", from ?? "", "--to", to ?? ""]);
    expect(moved.stderr).toBe("");
    expect(moved.stdout).toContain(`${to} is the primary in term 2, and ${from} follows it`);

    await expect.poll(() => query(next, "insert into kept values (2)"), PATIENCE).toBe("");
    await expect
      .poll(() => query(former, "select count(*) from kept"), PATIENCE)
      .toBe("count\n2\n");
    expect(await query(former, "create table t ()")).toContain("25006");
    // Its restart was no end.
    expect(first.output).not.toContain("PostgreSQL ended");
    const servers = [await serverPid(former.places), await serverPid(next.places)];
    expect(await first.stop("SIGINT")).toBe(0);
    expect(allGone(...servers)).toBe(true);

    const second = site.start();
    await second.printed("Ctrl-C stops all of it");
    expect(second.output).toContain(`switchover --from ${to} --to ${from}`);
    await expect.poll(() => query(next, "insert into kept values (3)"), PATIENCE).toBe("");
    await expect
      .poll(() => query(former, "select count(*) from kept"), PATIENCE)
      .toBe("count\n3\n");
    expect(await second.stop("SIGINT")).toBe(0);
  },
);

test("says which port of a replica is in use before it starts anything", async () => {
  const site = await Site.create(1);
  const [, replica] = membersIn(site.directory, site.ports, 1);
  const other = createServer().listen(replica?.ports.psql, "127.0.0.1");
  onTestFinished(() => void other.close());
  await once(other, "listening");
  const refused = site.start("--replicas=1");
  expect(await refused.ended).toBe(1);
  expect(refused.output).toBe("");
  expect(refused.complaints).toMatch(
    new RegExp(
      `^npm start: port ${replica?.ports.psql} for psql and drivers of replica 1 is in use`,
    ),
  );
});
