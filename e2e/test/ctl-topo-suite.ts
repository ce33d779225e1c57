import { startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { describe, expect, test } from "vitest";
import { ctlTopo, poolerRecord } from "./ctl-topo.ts";
import { argumentsOf } from "./topology-flags.ts";
import { WatchProcess } from "./watch-process.ts";

/** A place for topologies: each call gives an empty one. */
export interface TopologyPlace extends AsyncDisposable {
  /** The flags of programs whose topology is there. */
  readonly flags: Readonly<Record<string, string>>;
  /** How a cell is said to be on these servers. */
  readonly servers: string;
}

const LIMIT_MS = 20_000;

/** A pooler without a PostgreSQL: all that matters here is its record. */
function startRegistering(place: TopologyPlace, name: string): PoolerProcess {
  const flags = { ...place.flags, "pg-port": "1", "service-id": name };
  return startPooler({ flags });
}

async function untilRegistered(place: TopologyPlace, ...names: readonly string[]): Promise<void> {
  for (const name of names) {
    await expect
      .poll(() => poolerRecord(place.flags, name), { timeout: LIMIT_MS })
      .toMatchObject({ kind: "pooler" });
  }
}

/** Declares the tests of `ctl topo` on one kind of topology. */
export function describeCtlTopo(name: string, open: () => Promise<TopologyPlace>): void {
  describe(`ctl topo on ${name}`, () => {
    testInit(open);
    testReading(open);
    testWatching(open);
  });
}

function testInit(open: () => Promise<TopologyPlace>): void {
  test("init makes the cell once, and then tells what is there", async () => {
    await using place = await open();
    const cell = `root /multigres/zone1, ${place.servers}`;
    expect(await ctlTopo(place.flags, "init")).toEqual({
      code: 0,
      stdout: `cell zone1 created: ${cell}\n`,
      stderr: "",
    });
    expect(await ctlTopo(place.flags, "init")).toEqual({
      code: 0,
      stdout: `cell zone1 exists: ${cell}\n`,
      stderr: "",
    });
    const { stdout } = await ctlTopo(place.flags, "init", "--json");
    const json: unknown = JSON.parse(stdout);
    expect(json).toMatchObject({
      created: false,
      key: "/multigres/global/cells/zone1/Cell",
      record: { name: "zone1", root: "/multigres/zone1" },
    });
  });

  test("init refuses to move a cell, and changes nothing", async () => {
    await using place = await open();
    await ctlTopo(place.flags, "init");
    const { code, stdout, stderr } = await ctlTopo(place.flags, "init", "--topo-cell-root", "/x");
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(
      /^multipooler: cell zone1 exists and has root \/multigres\/zone1, .*\n$/,
    );
    expect((await ctlTopo(place.flags, "get", "cell/zone1")).stdout).toMatch(
      /^root +\/multigres\/zone1$/m,
    );
  });
}

function testReading(open: () => Promise<TopologyPlace>): void {
  test("poolers on one topology see each other in lists and in the tree", async () => {
    await using place = await open();
    await using _a = startRegistering(place, "a");
    await using _b = startRegistering(place, "b");
    await untilRegistered(place, "a", "b");
    const cell = "/multigres/global/cells/zone1/Cell";
    const key = (pooler: string): string =>
      `/multigres/zone1/poolers/multipooler-zone1-${pooler}/Pooler`;

    const list = await ctlTopo(place.flags, "list", "--json");
    const listed: unknown = JSON.parse(list.stdout);
    expect(listed).toMatchObject([{ key: cell }, { key: key("a") }, { key: key("b") }]);
    const table = (await ctlTopo(place.flags, "list", "/multigres/zone1")).stdout;
    expect(table).toContain(` ${key("a")} | `);
    expect(table).toContain("(2 rows)\n");
    const poolers = (await ctlTopo(place.flags, "list", "poolers")).stdout;
    expect(poolers).toMatch(/^ multipooler-zone1-a +\| UNKNOWN +\| NOT_SERVING \| STARTING +\|/m);

    expect((await ctlTopo(place.flags, "tree")).stdout).toMatch(
      /^\/multigres\/zone1\n└─ poolers\n   ├─ multipooler-zone1-a .*\n   └─ multipooler-zone1-b .*\n$/m,
    );
    const tree: unknown = JSON.parse((await ctlTopo(place.flags, "tree", "--json")).stdout);
    expect(tree).toMatchObject({
      root: "/multigres/global",
      databases: [],
      cells: [{ key: cell, poolers: [{ key: key("a") }, { key: key("b") }] }],
    });
  });

  test("a record is found by key, by id and by cell and name, and told field by field", async () => {
    await using place = await open();
    await using pooler = startRegistering(place, "a");
    await untilRegistered(place, "a");
    const key = "/multigres/zone1/poolers/multipooler-zone1-a/Pooler";
    const texts = await Promise.all(
      [key, "pooler/multipooler-zone1-a", "pooler/zone1/a"].map((what) =>
        ctlTopo(place.flags, "get", what),
      ),
    );
    for (const { code, stdout } of texts) {
      expect(code).toBe(0);
      expect(stdout).toMatch(new RegExp(`^key +${key}$`, "m"));
      expect(stdout).toMatch(/^id\.name +a$/m);
      expect(stdout).toMatch(/^shardKey\.shard +0-inf$/m);
      expect(stdout).toMatch(/^servingStatus +NOT_SERVING$/m);
      expect(stdout).toMatch(/^lifecycleStatus\.updated +\d{4}-\d\d-\d\dT[\d:.]+Z$/m);
    }
    const port = (await pooler.grpc()).split(":").at(-1);
    expect(texts[0]?.stdout).toMatch(new RegExp(`^portMap\\.grpc +${port}$`, "m"));
  });
}

function testWatching(open: () => Promise<TopologyPlace>): void {
  test("watch tells what is there, what comes and what changes, and ends well with Ctrl-C", async () => {
    await using place = await open();
    await ctlTopo(place.flags, "init");
    await using watch = new WatchProcess(["ctl", "topo", "watch", ...argumentsOf(place.flags)]);
    await watch.line(/Z {2}found {4}cell {6}zone1 {2}root /);
    await using pooler = startRegistering(place, "a");
    await watch.line(
      /Z {2}new {6}pooler {4}multipooler-zone1-a {2}UNKNOWN, NOT_SERVING, STARTING, /,
    );
    await pooler.stop();
    await watch.line(/Z {2}changed {2}pooler {4}multipooler-zone1-a {2}.*→ LIFECYCLE_SHUTDOWN/);
    expect(await watch.interrupt()).toBe(0);
    expect(watch.complaints).toBe("");
  });

  test.each([["list", "pooler"], ["tree"]])(
    "%s --watch shows what comes by itself",
    async (...what) => {
      await using place = await open();
      await ctlTopo(place.flags, "init");
      const args = ["ctl", "topo", ...what, "--watch", "--interval", "100ms"];
      await using shown = new WatchProcess([...args, ...argumentsOf(place.flags)]);
      await shown.line(/^\(0 rows\)$|\(none\)/);
      await using pooler = startRegistering(place, "a");
      await shown.line(/multipooler-zone1-a|zone1.*a.*NOT_SERVING/);
      expect(await shown.interrupt()).toBe(0);
      expect(shown.complaints).toBe("");
      await pooler.stop();
    },
  );

  test("watch --json prints an object a line", async () => {
    await using place = await open();
    await ctlTopo(place.flags, "init");
    const args = ["ctl", "topo", "watch", "cell", "--json", ...argumentsOf(place.flags)];
    await using watch = new WatchProcess(args);
    await watch.line(/"found"/);
    await ctlTopo(place.flags, "init", "--cell", "zone2");
    await watch.line(/"written"/);
    expect(watch.lines.map((line): unknown => JSON.parse(line))).toMatchObject([
      { event: "found", kind: "cell", record: { name: "zone1" } },
      { event: "written", kind: "cell", record: { name: "zone2" } },
    ]);
    expect(await watch.interrupt()).toBe(0);
  });

  test("watch ends without a complaint when nobody reads it any more", async () => {
    await using place = await open();
    await ctlTopo(place.flags, "init");
    await using watch = new WatchProcess(["ctl", "topo", "watch", ...argumentsOf(place.flags)]);
    await watch.line(/found/);
    watch.leave();
    await ctlTopo(place.flags, "init", "--cell", "zone2");
    expect(await watch.ended()).toBe(0);
    expect(watch.complaints).toBe("");
  });
}
