import { runProgram } from "@multipooler/pooler-process";
import { PoolerServingStatus, RoutingRole } from "@multipooler/proto/clustermetadata";
import { NotReadyCode } from "@multipooler/proto/manager-v1";
import { StreamPoolerHealthResponse } from "@multipooler/proto/multipoolerservice";
import { Mode } from "@multipooler/proto/query";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClusterNode } from "./switchover/cluster-node.ts";
import { killedAt } from "./switchover/held-call.ts";
import { EMBEDDED, startPair, VERSIONS, waitFor } from "./switchover/node-pair.ts";
import { PrimaryWatch } from "./switchover/primary-watch.ts";
import type { Health, WatchedNode } from "./switchover/primary-watch.ts";
import { WriteLoad } from "./switchover/write-load.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** Each restarts one PostgreSQL and promotes another. */
const SWITCHOVERS = Number(process.env["MULTIPOOLER_SWITCHOVERS"] ?? "2");
const TIMEOUT_MS = 180_000 + SWITCHOVERS * 60_000;
const FOLLOWERS = "select application_name as name from pg_stat_replication order by 1";
const PATIENCE = { timeout: 60_000 };

/** Runs a `ctl` command that has to succeed; resolves with what it printed. */
async function ctl(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(["ctl", ...args]);
  expect([args[0], stderr, code]).toEqual([args[0], "", 0]);
  return stdout;
}

/** Resolves when a change of the pooler's role has begun. */
async function untilChanging({ client }: ClusterNode): Promise<void> {
  await expect
    .poll(async () => (await client.status()).notReadyCode, { ...PATIENCE, interval: 5 })
    .toBe(NotReadyCode.NOT_READY_CODE_CHANGING);
}

test.for(VERSIONS)(
  "the primary moves back and forth under a load of writes, and none that was acknowledged is lost: PostgreSQL $version",
  { timeout: TIMEOUT_MS },
  async ({ version, programs }, { annotate, skip }) => {
    if (programs === undefined) {
      return skip(`Debian's PostgreSQL ${version} is not installed`);
    }
    await using directory = await temporaryDirectory();
    await using parts = new AsyncDisposableStack();
    const nodes = await startPair({ directory: directory.path, programs }, parts);
    const watch = new PrimaryWatch();
    const watching = new AbortController();
    const followed = nodes.map((node) => watch.follow(node, watching.signal));
    const loads = [0, 1_000_000].map((first) => parts.use(new WriteLoad(nodes, first)));
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
    const figures =
      `PostgreSQL ${version}: ${SWITCHOVERS} switchovers, none of ${acknowledged.length} acknowledged writes lost; ` +
      `no write was acknowledged for ${Math.round(median)} ms (median), ${Math.round(gaps.at(-1) ?? 0)} ms (worst)`;
    await annotate(figures);
    // For the README.
    console.log(figures);
  },
);

describe("a primary and two standbys", { timeout: TIMEOUT_MS }, () => {
  const parts = new AsyncDisposableStack();
  let a: ClusterNode;
  let b: ClusterNode;
  let c: ClusterNode;

  beforeAll(async () => {
    const directory = parts.use(await temporaryDirectory());
    const options = { directory: directory.path, programs: EMBEDDED };
    [a, b] = await startPair(options, parts);
    c = parts.use(await ClusterNode.start({ ...options, name: "c" }, a));
    await ctl("term", "--address", c.address, "--set", "1", "--leader", "zone1/a");
    await ctl("set-primary", `127.0.0.1:${a.port}`, "--address", c.address, "--term", "1");
  }, TIMEOUT_MS);

  afterAll(() => parts.disposeAsync());

  /** Writes a row; resolves with what the pooler refused it with. */
  async function write({ client }: ClusterNode, id: number): Promise<string | undefined> {
    const target = { mode: Mode.MODE_WRITABLE };
    const query = `insert into kept values (${id})`;
    return await client.executeQuery({ query, target }).then(
      () => undefined,
      (error: unknown) => String(error),
    );
  }

  test("a switchover is explained without a change, and one to the primary has nothing to do", async () => {
    const between = ["--from", a.address, "--to", b.address, "--follower", c.address];
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
    // It is what a switchover that is complete leaves.
    const reversed = await ctl("switchover", "--from", b.address, "--to", a.address);
    expect(reversed).toMatch(
      `${a.address} is the primary already in term 1, and ${b.address} follows it at `,
    );
  });

  test("a demotion is undone by the primary itself, and its standbys never noticed", async () => {
    expect(await ctl("demote", "--address", a.address)).toMatch(/^The server is a standby/);
    expect(await ctl("undo-demote", "--address", a.address)).toMatch(/^The pooler is the primary/);
    expect(await ctl("undo-demote", "--address", a.address)).toMatch(/^The pooler was .* already/);
    await a.ready();
    expect(await write(a, 1)).toBeUndefined();
    for (const standby of [b, c]) {
      await expect.poll(() => standby.sql("select id from kept"), PATIENCE).toEqual([{ id: 1 }]);
    }
  });

  test("a change of role after which nothing is served says so, and ends with 3", async () => {
    await ctl("drain", "--reason", "works", "--address", a.address);
    const changes = [
      ["demote", "The server is a standby that follows nobody"],
      ["undo-demote", "The pooler is promoted again"],
      ["promote", "The pooler was the primary already"],
    ] as const;
    for (const [verb, said] of changes) {
      const { code, stdout, stderr } = await runProgram(["ctl", verb, "--address", a.address]);
      expect({ code, stdout, stderr }).toEqual({
        code: 3,
        stdout: expect.stringContaining(said),
        stderr:
          "multipooler: the role is changed, but the pooler does not serve: drained by an operator: works (DRAINED)\n",
      });
    }
    await ctl("serve", "--address", a.address);
    await a.ready();
    expect(await ctl("promote", "--address", a.address)).toMatch(/^The pooler was the primary/);
  });

  test("a type is changed by an administrator's word, which takes the writes away and gives them back", async () => {
    const changeType = (...args: readonly string[]): Promise<string> =>
      ctl("change-type", ...args, "--address", a.address);
    expect(await changeType("replica", "--explain")).toMatch(
      /name the type REPLICA in the topology/,
    );
    expect(await write(a, 2)).toBeUndefined();
    expect(await changeType("replica")).toBe("The pooler's type is REPLICA.\n");
    expect(await write(a, 3)).toMatch(/needs the primary/);
    expect(await ctl("status", "--address", a.address)).toMatch(/^type +REPLICA/m);
    expect(JSON.parse(await changeType("primary", "--json"))).toEqual({ poolerType: "PRIMARY" });
    await a.ready();
    expect(await write(a, 3)).toBeUndefined();
    const wrong = await runProgram(["ctl", "change-type", "leader", "--address", a.address]);
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      'multipooler: <type> is "leader"; it must be primary or replica\n',
    ]);
  });

  test("a switchover to a pooler that would not serve is refused before anything is changed", async () => {
    await ctl("drain", "--reason", "works", "--address", b.address);
    const refused = await runProgram(["ctl", "switchover", "--from", a.address, "--to", b.address]);
    expect(refused).toEqual({
      code: 1,
      stdout: "",
      stderr: `multipooler: the pooler at --to ${b.address} does not serve: drained by an operator: works\n`,
    });
    expect(await write(a, 0)).toBeUndefined();
    await ctl("serve", "--address", b.address);
    await b.ready();
  });

  test("a switchover takes further standbys along, which follow the new primary", async () => {
    const between = ["--from", a.address, "--to", b.address, "--follower", c.address];
    expect(await ctl("switchover", ...between)).toContain(`${b.address} is the primary in term 2`);
    await b.ready();
    await expect
      .poll(() => b.sql(FOLLOWERS), PATIENCE)
      .toEqual([{ name: "zone1_a" }, { name: "zone1_c" }]);
    expect(await ctl("term", "--address", c.address)).toMatch(/^term 2: /);
    expect(await write(b, 4)).toBeUndefined();
    for (const standby of [a, c]) {
      await expect
        .poll(() => standby.sql("select max(id) as id from kept"), PATIENCE)
        .toEqual([{ id: 4 }]);
      expect(await write(standby, 5)).toMatch(/needs the primary/);
    }
  });

  test("a switchover that was killed before each of its calls goes on when it is called again", async () => {
    const between = ["--from", b.address, "--to", a.address, "--follower", c.address];
    const killAt = async (call: string): Promise<void> => {
      const killed = await runProgram(["ctl", "switchover", ...between], { env: killedAt(call) });
      expect([call, killed]).toEqual([call, { code: null, stdout: "", stderr: "" }]);
    };
    for (const call of ["SetTerm", "Demote", "WaitForLSN", "SetPrimaryConnInfo", "Promote"]) {
      await killAt(call);
    }
    // It goes on in the term that was begun, and only what is left is explained.
    const left: unknown = JSON.parse(await ctl("switchover", ...between, "--explain", "--json"));
    expect(left).toMatchObject({
      term: "3",
      steps: expect.not.arrayContaining([
        expect.objectContaining({
          name: expect.stringMatching(/^(?:recruit|restart as standby)$/),
        }),
      ]),
    });
    // Who was never demoted is not taken for the primary that was: its last writes would be lost.
    const wrong = await runProgram(["ctl", "switchover", "--from", c.address, "--to", a.address]);
    expect(wrong).toEqual({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining("is a REPLICA that was not demoted"),
    });
    const other = await runProgram(["ctl", "switchover", ...between, "--term", "7"]);
    expect(other).toEqual({
      code: 1,
      stdout: "",
      stderr: "multipooler: --term is 7; a switchover that has stopped goes on in term 3\n",
    });
    // The second one, which is the follower's.
    await killAt("SetPrimaryConnInfo 2");
    expect(await ctl("switchover", ...between)).toContain(
      `${a.address} is the primary already in term 3`,
    );
    await a.ready();
    expect(await write(a, 6)).toBeUndefined();
    await expect
      .poll(() => a.sql(FOLLOWERS), PATIENCE)
      .toEqual([{ name: "zone1_b" }, { name: "zone1_c" }]);
    // For whom the first primary waited is known after all.
    const { status } = await a.client.replication.primaryStatus();
    expect(status?.syncReplicationConfig).toEqual(waitFor(b));
  });

  test("a switchover that was killed while its calls ran goes on when it is called again", async () => {
    const between = ["--from", a.address, "--to", b.address, "--follower", c.address];
    for (const node of [a, b]) {
      const kill = new AbortController();
      const run = runProgram(["ctl", "switchover", ...between], { signal: kill.signal });
      await Promise.all([
        expect(run).rejects.toThrow("aborted"),
        untilChanging(node).then(() => kill.abort()),
      ]);
    }
    const { code, stdout, stderr } = await runProgram(["ctl", "switchover", ...between]);
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: expect.stringMatching(`^${b.address} is the primary (?:already )?in term 4, and `),
      // Whether the last call of the command before still ran.
      stderr: expect.stringMatching(/^(?:multipooler: waiting: Promote runs since .*\n)?$/),
    });
    await b.ready();
    expect(await write(b, 7)).toBeUndefined();
    await expect
      .poll(() => b.sql(FOLLOWERS), PATIENCE)
      .toEqual([{ name: "zone1_a" }, { name: "zone1_c" }]);
    for (const standby of [a, c]) {
      await expect
        .poll(() => standby.sql("select array_agg(id order by id) as ids from kept"), PATIENCE)
        .toEqual([{ ids: [0, 1, 2, 3, 4, 6, 7] }]);
    }
  });
});

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

test("the watch over the primaries remembers one whose stream has broken", async () => {
  const watch = new PrimaryWatch();
  const watching = new AbortController();
  const servingStatus = PoolerServingStatus.SERVING;
  const routingState = {
    role: RoutingRole.ROUTING_ROLE_PRIMARY,
    rule: { coordinatorTerm: 1n, leaderSubterm: 0n },
  };
  let streams = 0;
  const again = Promise.withResolvers<void>();
  const streamPoolerHealth: WatchedNode["client"]["streamPoolerHealth"] = async function* stream() {
    streams += 1;
    if (streams > 1) {
      again.resolve();
      throw new Error("it does not answer");
    }
    yield StreamPoolerHealthResponse.create({ servingStatus, routingState });
  };
  const node = { name: "a", client: { streamPoolerHealth } };
  const followed = watch.follow(node, watching.signal);
  await again.promise;
  watch.observe("b", { servingStatus, routingState });
  expect(watch.violations).toEqual(["a and b in term 1"]);
  watching.abort();
  await followed;
});
