import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram, startPooler } from "@multipooler/pooler-process";
import { expect, test } from "vitest";
import { describeCtlTopo } from "./ctl-topo-suite.ts";
import type { TopologyPlace } from "./ctl-topo-suite.ts";
import { ctlTopo, poolerRecord } from "./ctl-topo.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import { inFile } from "./topology-flags.ts";

const LIMIT_MS = 20_000;

describeCtlTopo("a file", openFile);

async function openFile(): Promise<TopologyPlace & { readonly path: string }> {
  const directory = await temporaryDirectory();
  return {
    path: directory.path,
    flags: inFile(join(directory.path, "topology.db")),
    servers: "on the global servers",
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

test.each([
  ["get", "pooler/zone1/absent", 1, "there is no such record"],
  ["get", "/elsewhere/cells/zone1/Cell", 1, "there is no such record"],
  ["get", "zone1", 2, "names no record"],
  ["get", "shard/postgres/default/0-inf", 1, "there is no such record"],
  ["delete", "pooler/zone1/absent", 1, "there is no such record"],
  ["delete", "zone1", 2, "names no record"],
  ["list", "gateways", 2, "is no kind of record"],
  ["watch", "gateways", 2, "is no kind of record"],
])("%s %s says in one line what is wrong", async (command, what, code, why) => {
  await using place = await openFile();
  await ctlTopo(place.flags, "init");
  const result = await ctlTopo(place.flags, command, what);
  expect([result.code, result.stdout]).toEqual([code, ""]);
  expect(result.stderr).toMatch(/^multipooler: [^\n]*\n$/);
  expect(result.stderr).toContain(why);
});

test("the settings of the program say where to look, from the environment and a file too", async () => {
  await using place = await openFile();
  await ctlTopo(place.flags, "init");
  const variable = (flag: string): string =>
    `MULTIPOOLER_${flag.replaceAll("-", "_").toUpperCase()}`;
  const env = Object.fromEntries(
    Object.entries(place.flags).map(([flag, value]) => [variable(flag), value]),
  );
  await using directory = await temporaryDirectory();
  const file = join(directory.path, "multipooler.json");
  // Settings of the pooler are no fault in a file that both read.
  await writeFile(file, JSON.stringify({ ...place.flags, "grpc-port": 1 }));
  const results = [
    await runProgram(["ctl", "topo", "list", "cells"], { env }),
    await runProgram(["ctl", "topo", "list", "cells", "--config-file", file]),
  ];
  for (const { code, stdout } of results) {
    expect(code).toBe(0);
    expect(stdout).toContain("(1 row)");
  }
});

test("looking where there is no topology makes none", async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, "absent.db");
  const { code, stdout, stderr } = await ctlTopo(inFile(file), "list");
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^multipooler: .*absent\.db: there is no topology yet; .*\n$/);
  expect(existsSync(file)).toBe(false);
});

test("a file of something else is refused in one line and stays as it is", async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, "notes.txt");
  await writeFile(file, "not a database, but notes");
  const { code, stderr } = await ctlTopo(inFile(file), "list");
  expect(code).toBe(1);
  expect(stderr).toMatch(/^multipooler: .*notes\.txt: [^\n]*\n$/);
});

test("without settings, pooler and ctl use the same file of the user", async () => {
  await using directory = await temporaryDirectory();
  const state = join(directory.path, "state");
  const env = { XDG_STATE_HOME: state };
  await using pooler = startPooler({
    flags: { "topo-implementation": "sqlite", "pg-port": "1", "service-id": "a" },
    env,
  });
  await pooler.grpc();
  await expect
    .poll(async () => (await runProgram(["ctl", "topo", "list", "poolers"], { env })).stdout, {
      timeout: LIMIT_MS,
    })
    .toContain("multipooler-zone1-a");
  expect(existsSync(join(state, "multipooler", "topology.db"))).toBe(true);
});

test("a pooler that was killed is gone for readers, and its record can be deleted then", async () => {
  await using directory = await temporaryDirectory();
  const flags = inFile(join(directory.path, "topology.db"));
  await using pooler = startPooler({ flags: { ...flags, "pg-port": "1", "service-id": "a" } });
  await expect
    .poll(() => poolerRecord(flags, "a"), { timeout: LIMIT_MS })
    .toMatchObject({ kind: "pooler" });
  const refused = await ctlTopo(flags, "delete", "pooler/zone1/a");
  expect([refused.code, refused.stdout]).toEqual([1, ""]);
  expect(refused.stderr).toMatch(
    /^multipooler: pooler\/zone1\/a: the pooler at \S+ has run since \S+: stop it first, or give --force with the reason\n$/,
  );
  const inUse = await ctlTopo(flags, "delete", "cell/zone1");
  expect(inUse.stderr).toContain("it has 1 pooler(s), as multipooler-zone1-a: delete them first");
  pooler.kill("SIGKILL");
  expect(await pooler.exited).toEqual({ code: null, signal: "SIGKILL" });
  // Its session ends by itself.
  await expect
    .poll(() => poolerRecord(flags, "a"), { timeout: 20_000 })
    .toMatchObject({ alive: false, record: { hostname: expect.any(String) } });
  expect((await ctlTopo(flags, "list", "poolers")).stdout).toMatch(
    /^ multipooler-zone1-a +\| UNKNOWN +\| NOT_SERVING \| GONE +\|/m,
  );
  expect(await ctlTopo(flags, "delete", "pooler/zone1/a")).toEqual({
    code: 0,
    stdout: "deleted pooler multipooler-zone1-a\n",
    stderr: "",
  });
  expect((await ctlTopo(flags, "delete", "cell/zone1")).code).toBe(0);
  expect((await ctlTopo(flags, "list")).stdout).toContain("(0 rows)");
});

test("a record in use is deleted by force, for a reason", async () => {
  await using place = await openFile();
  await using pooler = startPooler({
    flags: { ...place.flags, "pg-port": "1", "service-id": "a" },
  });
  await pooler.grpc();
  await expect
    .poll(() => poolerRecord(place.flags, "a"), { timeout: LIMIT_MS })
    .toMatchObject({ kind: "pooler", alive: true });
  const unreasoned = await ctlTopo(place.flags, "delete", "pooler/zone1/a", "--force", " ");
  expect([unreasoned.code, unreasoned.stderr]).toEqual([
    2,
    "multipooler: --force: say why, e.g. --force 'its machine is lost'\n",
  ]);
  const forced = ["delete", "pooler/zone1/a", "--force", "a test", "--json"];
  const { code, stdout } = await ctlTopo(place.flags, ...forced);
  expect([code, JSON.parse(stdout)]).toEqual([
    0,
    {
      deleted: true,
      kind: "pooler",
      key: "/multigres/zone1/poolers/multipooler-zone1-a/Pooler",
      forced: "a test",
    },
  ]);
  // It lives, and says so.
  await expect
    .poll(() => poolerRecord(place.flags, "a"), { timeout: LIMIT_MS })
    .toMatchObject({ alive: true });
});

test("without --service-id a pooler keeps its name in its directory", async () => {
  await using place = await openFile();
  const flags = { ...place.flags, "pg-port": "1", "pooler-dir": join(place.path, "pooler") };
  for (const _ of ["first", "second"]) {
    await using pooler = startPooler({ flags });
    await pooler.grpc();
    await expect
      .poll(async () => (await ctlTopo(place.flags, "list", "poolers")).stdout, {
        timeout: LIMIT_MS,
      })
      .toContain("STARTING");
    await pooler.stop();
  }
  expect((await ctlTopo(place.flags, "list", "poolers")).stdout).toContain("(1 row)");
});

test("a directory where the topology is to be is refused at the start", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "topology.db");
  await mkdir(path);
  const { code, stderr } = await runProgram(["--topo-global-server-addresses", path]);
  expect([code, stderr]).toEqual([
    2,
    `multipooler: --topo-global-server-addresses: ${path}: is not a file\n`,
  ]);
});
