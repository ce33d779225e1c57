import { once } from "node:events";
import { access, chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { runProgram } from "@multipooler/pooler-process";
import { expect, onTestFinished, test } from "vitest";
import { probe } from "../src/probe.ts";
import { allGone, Site, untilGone } from "./quickstart-process.ts";

const READY = "Multipooler is ready.";
const BACK = "PostgreSQL is back, and the same pooler serves again.";

async function query(site: Site, sql: string): Promise<string> {
  const address = `127.0.0.1:${site.ports.grpc}`;
  const args = ["ctl", "query", "--address", address, "--format", "csv", sql];
  const { stdout, stderr } = await runProgram(args);
  return stdout + stderr;
}

/** The pooler notices the death of PostgreSQL by itself; its probe is all there is to ask. */
async function untilUnready(site: Site): Promise<void> {
  const ready = async (): Promise<boolean | undefined> => (await probe(site.ports.http))?.ready;
  await expect.poll(ready, { timeout: 10_000 }).toBe(false);
}

test("runs PostgreSQL with a pooler in front and stops both in order on Ctrl-C", async () => {
  const site = await Site.create();
  const first = site.start();
  await first.printed("Ctrl-C stops all of it");
  expect(first.output).toContain(READY);
  expect(first.output).toContain(`127.0.0.1:${site.ports.grpc}`);
  expect(await query(site, "select 6 * 7 as answer")).toBe("answer\n42\n");
  const pids = [await site.postgresPid(), await site.poolerPid()];

  const second = site.start();
  expect(await second.ended).toBe(0);
  expect(second.output).toContain("Multipooler runs already");
  expect(await query(site, "select 1 as one")).toBe("one\n1\n");

  expect(await first.stop("SIGINT")).toBe(0);
  expect(first.complaints).toBe("");
  expect(allGone(...pids)).toBe(true);
  expect(await readFile(site.places.poolerLog, "utf8")).toMatch(/"msg":"stopped"\}\n$/);
  const postgresLog = await readFile(site.places.postgresLog, "utf8");
  expect(postgresLog).toMatch(/database system is shut down\n$/);
  expect(postgresLog).not.toMatch(/terminating connection/);
  await expect(access(site.places.state)).rejects.toMatchObject({ code: "ENOENT" });
});

test("brings a killed PostgreSQL back in front of the same pooler, with its data", async () => {
  const site = await Site.create();
  const first = site.start();
  await first.printed("Ctrl-C stops all of it");
  const pooler = await site.poolerPid();
  await query(site, "create table kept as select 'still here' as text");

  process.kill(await site.postgresPid(), "SIGKILL");
  await first.printed("PostgreSQL ended.");
  await untilUnready(site);
  expect(await query(site, "select 1")).toContain("MTF01");

  const second = site.start();
  await second.printed(BACK);
  await first.printed("PostgreSQL is back, and the pooler serves again.");
  expect(await query(site, "select text from kept")).toBe("text\nstill here\n");
  expect(await site.poolerPid()).toBe(pooler);
  const postgres = await site.postgresPid();

  expect(await first.stop("SIGTERM")).toBe(0);
  expect(await second.ended).toBe(0);
  expect(second.output).toContain("the pooler ended in another terminal");
  expect(allGone(pooler, postgres)).toBe(true);
});

test("a second start that lost its PostgreSQL leaves the pooler to the next one", async () => {
  const site = await Site.create();
  const first = site.start();
  await first.printed("Ctrl-C stops all of it");
  process.kill(await site.postgresPid(), "SIGKILL");
  await first.printed("PostgreSQL ended.");
  const second = site.start();
  await second.printed("Ctrl-C stops PostgreSQL");
  expect(await second.stop("SIGINT")).toBe(0);
  await untilUnready(site);
  const third = site.start();
  await third.printed("Ctrl-C stops PostgreSQL");
  process.kill(await site.postgresPid(), "SIGKILL");
  expect(await third.ended).toBe(1);
  expect(third.output).toContain("PostgreSQL ended.");
  expect(await first.stop("SIGINT")).toBe(0);
});

test("takes over PostgreSQL and the pooler when their own start was killed", async () => {
  const site = await Site.create();
  const first = site.start();
  await first.printed("Ctrl-C stops all of it");
  const pids = [await site.postgresPid(), await site.poolerPid()];
  await first.stop("SIGKILL");
  expect(await query(site, "select 1 as one")).toBe("one\n1\n");

  const second = site.start();
  await second.printed("Ctrl-C stops all of it");
  expect([await site.postgresPid(), await site.poolerPid()]).toEqual(pids);
  expect(await query(site, "select 1 as one")).toBe("one\n1\n");
  expect(await second.stop("SIGINT")).toBe(0);
  expect(second.complaints).toBe("");
  await untilGone(...pids);
});

test("takes over PostgreSQL when its own start and the pooler were killed", async () => {
  const site = await Site.create();
  const first = site.start();
  await first.printed("Ctrl-C stops all of it");
  const postgres = await site.postgresPid();
  await first.stop("SIGKILL");
  process.kill(await site.poolerPid(), "SIGKILL");
  const second = site.start();
  await second.printed(READY);
  expect(await site.postgresPid()).toBe(postgres);
  expect(await query(site, "select 1 as one")).toBe("one\n1\n");
  process.kill(postgres, "SIGKILL");
  await second.printed("PostgreSQL ended.");
  expect(await second.stop("SIGINT")).toBe(0);
});

test("ends and stops PostgreSQL when the pooler dies", async () => {
  const site = await Site.create();
  const first = site.start();
  await first.printed("Ctrl-C stops all of it");
  const postgres = await site.postgresPid();
  process.kill(await site.poolerPid(), "SIGKILL");
  expect(await first.ended).toBe(1);
  expect(first.output).toContain("the pooler ended by SIGKILL");
  expect(allGone(postgres)).toBe(true);
});

test("stops what it has started when Ctrl-C comes before all runs", async () => {
  const site = await Site.create();
  const early = site.start();
  await early.printed("starting PostgreSQL");
  const postgres = await site.postgresPid();
  expect(await early.stop("SIGINT")).toBe(0);
  expect(early.complaints).toBe("");
  expect(early.output).not.toContain(READY);
  expect(allGone(postgres)).toBe(true);
});

test.each(["postgres", "http", "grpc", "psql"] as const)(
  "says which port is in use before it starts anything: %s",
  async (use) => {
    const site = await Site.create();
    const other = createServer().listen(site.ports[use], "127.0.0.1");
    onTestFinished(() => void other.close());
    await once(other, "listening");
    const refused = site.start();
    expect(await refused.ended).toBe(1);
    expect(refused.output).toBe("");
    expect(refused.complaints).toMatch(
      new RegExp(`^npm start: port ${site.ports[use]} .*--${use}-port <port>\n$`),
    );
    await expect(access(site.places.data)).rejects.toMatchObject({ code: "ENOENT" });
  },
);

test("says in one line that the data is from another major version", async () => {
  const site = await Site.create();
  await mkdir(site.places.data);
  await writeFile(join(site.places.data, "PG_VERSION"), "16\n");
  await writeFile(site.places.password, "x\n");
  const refused = site.start();
  expect(await refused.ended).toBe(1);
  expect(refused.complaints).toMatch(/^npm start: .* made by PostgreSQL 16, .*\n$/);
});

test("says in one line that the data cannot be read, or that its password is gone", async () => {
  const site = await Site.create();
  await mkdir(site.places.data);
  const lost = site.start();
  expect(await lost.ended).toBe(1);
  expect(lost.complaints).toMatch(/^npm start: .*postgres-password.*\n$/);

  await writeFile(site.places.password, "x\n");
  await chmod(site.places.data, 0o000);
  const unreadable = site.start();
  expect(await unreadable.ended).toBe(1);
  expect(unreadable.complaints).toMatch(/^npm start: the data directory .* cannot be used: .*\n$/);
});

test("says in the pooler's words why it does not start", async () => {
  const site = await Site.create();
  const first = site.start();
  await first.printed("Ctrl-C stops all of it");
  expect(await first.stop("SIGINT")).toBe(0);
  await writeFile(site.places.password, "wrong\n");
  const refused = site.start();
  expect(await refused.ended).toBe(1);
  expect(refused.complaints).toMatch(/^npm start: .*password authentication failed.*\n$/);
  await rm(site.places.state, { force: true });
});
