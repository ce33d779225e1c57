import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram, startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess, ProgramResult } from "@multipooler/pooler-process";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ServerPair } from "./server-pair.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import { WatchProcess } from "./watch-process.ts";

const PATIENCE = { timeout: 20_000 };
const FORCE = ["--force", "no coordinator here"];

let pair: ServerPair;
let directory: AsyncDisposable & { readonly path: string };
let primary: PoolerProcess;
let standby: PoolerProcess;

beforeAll(async () => {
  pair = await ServerPair.start({ setUp: ["create table kept (id int)"] });
  directory = await temporaryDirectory();
  await writeFile(join(directory.path, "pgpass"), "*:*:*:postgres:a password\n", { mode: 0o600 });
  primary = start(pair.primary, { "service-id": "a", "initial-pooler-type": "primary" });
  standby = start(pair.standby, {
    "service-id": "b",
    "initial-pooler-type": "replica",
    "pooler-dir": directory.path,
  });
  const signal = AbortSignal.timeout(60_000);
  await Promise.all([primary.ready(200, { signal }), standby.ready(200, { signal })]);
}, 120_000);

afterAll(async () => {
  await primary[Symbol.asyncDispose]();
  await standby[Symbol.asyncDispose]();
  await pair[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

function start(
  { host, port }: TestPostgres,
  flags: Readonly<Record<string, string>>,
): PoolerProcess {
  const server = { "pg-host": host, "pg-port": String(port), cell: "zone1" };
  return startPooler({ flags: { ...server, ...flags } });
}

async function ctl(pooler: PoolerProcess, ...args: readonly string[]): Promise<ProgramResult> {
  const address = await pooler.grpc();
  return await runProgram(["ctl", ...args, "--address", address]);
}

async function follow(): Promise<void> {
  const { host, port } = pair.primary;
  const args = ["set-primary", `${host}:${port}`, "--resume-after", ...FORCE];
  expect(await ctl(standby, ...args)).toEqual({
    code: 0,
    stdout: `The standby follows ${host}:${port}.\n`,
    stderr: "",
  });
  await expect
    .poll(async () => (await ctl(primary, "followers")).stdout, PATIENCE)
    .toMatch(/^zone1\/b +streaming /m);
}

test("a standby is told whom to follow, and both show it", async () => {
  await follow();
  const { host, port } = pair.primary;
  const shown = await ctl(standby, "replication");
  expect(shown.stdout).toMatch(new RegExp(`^follows +${host}:${port} as zone1_b$`, "m"));
  expect(shown.stdout).toMatch(/^receiver +streaming$/m);
  expect(shown.stdout).toMatch(/^replay +not paused$/m);
  expect((await ctl(primary, "replication")).stdout).toMatch(/^followers +zone1\/b$/m);
  const { stdout } = await ctl(primary, "followers", "--json");
  expect(JSON.parse(stdout)).toMatchObject({
    followers: [{ followerId: { cell: "zone1", name: "b" }, isConnected: true }],
  });
  expect(JSON.parse((await ctl(standby, "replication", "--json")).stdout)).toMatchObject({
    walReceiverStatus: "streaming",
    // Where pgctld keeps the password.
    primaryConnInfo: { raw: expect.stringContaining(`passfile='${directory.path}/pgpass'`) },
  });
});

test("a wait for a position ends when it is replayed, and says how far a paused standby is", async () => {
  await follow();
  expect((await ctl(standby, "replication", "stop")).stdout).toMatch(/^replay +paused$/m);
  await pair.primary.sql("insert into kept values (1)");
  const [row] = await pair.primary.sql("select pg_current_wal_lsn()::text as lsn");
  const lsn = String(row?.["lsn"]);
  const late = await ctl(standby, "wait-lsn", lsn, "--timeout", "100ms");
  expect(late.code).toBe(1);
  expect(late.stderr).toMatch(/the standby has replayed [0-9A-F/]+ after 100 ms, and not /);
  expect(await ctl(standby, "replication", "start")).toMatchObject({
    code: 0,
    stdout: "The standby replays.\n",
  });
  expect(await ctl(standby, "wait-lsn", lsn)).toEqual({
    code: 0,
    stdout: `The standby has replayed ${lsn}.\n`,
    stderr: "",
  });
  expect(await pair.standby.sql("select id from kept")).toEqual([{ id: 1 }]);
});

test("a standby stops to receive, and follows nobody until it is told", async () => {
  await follow();
  const stopped = await ctl(standby, "replication", "reset");
  expect(stopped.stdout).toMatch(/^follows +nobody$/m);
  expect(stopped.stdout).toMatch(/^receiver +none$/m);
  await follow();
  const both = await ctl(standby, "replication", "stop", "--mode", "both");
  expect(both.stdout).toMatch(/^replay +paused$/m);
  await follow();
});

test("commits wait for whom they are told to", async () => {
  await follow();
  const waits = /^Commits wait for any 1 of zone1\/b \(synchronous_commit remote_apply\)\.$/m;
  const args = ["replication", "synchronous", "zone1/b", "--commit", "remote_apply"];
  expect((await ctl(primary, ...args)).stdout).toMatch(waits);
  await pair.primary.sql("insert into kept values (2)");
  const added = await ctl(primary, "replication", "standbys", "add", "zone1/ghost", ...FORCE);
  expect(added.stdout).toMatch(/^zone1\/ghost +not connected$/m);
  const removed = await ctl(primary, "replication", "standbys", "remove", "zone1/ghost", ...FORCE);
  expect(removed.stdout).toMatch(waits);
  const last = await ctl(primary, "replication", "standbys", "remove", "zone1/b", ...FORCE);
  expect(last).toMatchObject({
    code: 1,
    stderr: "multipooler: resulting standby list cannot be empty after operation\n",
  });
  const none = await ctl(primary, "replication", "synchronous");
  expect(none.stdout).toMatch(/^Commits wait for no pooler\.$/m);
});

test("what the pooler's type does not allow is refused, and so is what cannot be meant", async () => {
  expect(await ctl(primary, "replication", "start")).toEqual({
    code: 1,
    stdout: "",
    stderr:
      "multipooler: operation not allowed: pooler type is PRIMARY, must be REPLICA (service_id: a)\n",
  });
  expect((await ctl(standby, "followers")).stderr).toMatch(
    /pooler type is REPLICA, must be PRIMARY \(service_id: b\)/,
  );
  expect(await ctl(standby, "wait-lsn", "nowhere")).toMatchObject({
    code: 1,
    stderr: 'multipooler: target_lsn is "nowhere"; it must be a WAL position such as 16/B374D848\n',
  });
  for (const args of [
    ["set-primary", "nowhere"],
    ["set-primary", "a:1", "--term", "-1"],
    ["replication", "synchronous", "zone1_b"],
    ["replication", "stop", "--mode", "all"],
    ["wait-lsn"],
  ]) {
    expect(await ctl(standby, ...args)).toMatchObject({ code: 2, stdout: "" });
  }
});

test("a password in the connection string of standbys is refused at the start", async () => {
  const started = await runProgram(["--replication-conninfo", "user=u password=hunter2"]);
  expect(started).toMatchObject({ code: 2, stdout: "" });
  expect(started.stderr).toContain(
    'must not have "password": PostgreSQL writes it to its log; name a file with passfile',
  );
  expect(started.stderr).not.toContain("hunter2");
});

test("ctl status --watch has a line for the promotion within a second, and ends with 0 at Ctrl-C", async () => {
  const address = await standby.grpc();
  const args = ["ctl", "status", "--watch", "--json", "--interval", "30s", "--address", address];
  await using watching = new WatchProcess(args);
  await watching.line(/"poolerType":"POOLER_TYPE_REPLICA"/);
  const promoted = await ctl(standby, "promote", ...FORCE);
  expect(promoted).toMatchObject({ code: 0, stderr: "" });
  const since = performance.now();
  await watching.line(/"poolerType":"POOLER_TYPE_PRIMARY","role":"POOLER_ROLE_PRIMARY"/);
  expect(performance.now() - since).toBeLessThan(1000);
  expect(watching.lines.every((line) => line.startsWith("{"))).toBe(true);
  expect(await watching.interrupt()).toBe(0);
  expect(watching.complaints).toBe("");
});
