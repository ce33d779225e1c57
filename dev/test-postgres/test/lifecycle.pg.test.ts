import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, readdir } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import pg from "pg";
import { expect, onTestFinished, test, vi } from "vitest";
import { startPostgres } from "../src/index.ts";
import type { TestPostgres } from "../src/index.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

test("takes connections over TCP and the unix socket, and leaves nothing behind", async () => {
  const postgres = await startPostgres();
  const { dataDir, pid } = postgres;
  for (const host of [postgres.host, postgres.socketDir]) {
    const client = new pg.Client({ host, port: postgres.port, user: postgres.user });
    await client.connect();
    const { rows } = await client.query(
      "select 'grüße' as text, current_setting('server_encoding')",
    );
    expect(rows).toEqual([{ text: "grüße", current_setting: "UTF8" }]);
    await client.end();
  }
  await access(postgres.socketPath);
  await postgres[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
  await expect(access(dataDir)).rejects.toMatchObject({ code: "ENOENT" });
  expect(() => process.kill(pid ?? 0, 0)).toThrow("ESRCH");
});

test("keeps data and port over stop, kill and start", async () => {
  await using postgres = await startPostgres();
  const { port } = postgres;
  await postgres.sql("create table kept (id int)");
  await postgres.stop();
  await postgres.stop();
  expect(postgres.pid).toBeUndefined();
  await postgres.start();
  await postgres.sql("insert into kept values (1)");
  await postgres.kill();
  await expect(postgres.sql("select 1")).rejects.toMatchObject({ code: "NOT_RUNNING" });
  await postgres.start();
  await postgres.start();
  expect(postgres.port).toBe(port);
  expect(await postgres.sql("select id from kept")).toEqual([{ id: 1 }]);
});

test("applies calls in the order in which they were made", async () => {
  await using postgres = await startPostgres();
  const before = postgres.pid;
  await Promise.all([postgres.kill(), postgres.start(), postgres.stop("smart"), postgres.start()]);
  expect(postgres.pid).not.toBe(before);
  expect(await postgres.sql("select 1 as one")).toEqual([{ one: 1 }]);
});

test("does not wait for a backend that outlived the server's main process", async () => {
  const postgres = await startPostgres();
  const session = await busySession(postgres);
  process.kill(postgres.pid ?? 0, "SIGKILL");
  await postgres.ended;
  await postgres[Symbol.asyncDispose]();
  await session.failed;
  await expect(access(postgres.dataDir)).rejects.toMatchObject({ code: "ENOENT" });
});

test("leaves the next server on the same data alone", async () => {
  const dataDir = join(await temporaryDirectory(), "data");
  const first = await startPostgres({ dataDir });
  process.kill(first.pid ?? 0, "SIGKILL");
  await first.ended;
  await using second = await startPostgres({ dataDir });
  await first[Symbol.asyncDispose]();
  expect(await second.sql("select 1 as one")).toEqual([{ one: 1 }]);
});

test("runs two servers at once, each with its own data", async () => {
  await using first = await startPostgres();
  await using second = await startPostgres();
  await first.sql("create table only_here ()");
  expect(await second.sql("select to_regclass('only_here')")).toEqual([{ to_regclass: null }]);
});

test("keeps a given data directory, writes it durably, and refuses a second server on it", async () => {
  const dataDir = join(await temporaryDirectory(), "data");
  {
    await using postgres = await startPostgres({ dataDir });
    await postgres.sql("create table kept as select 42 as answer");
    expect(await postgres.sql("show fsync")).toEqual([{ fsync: "on" }]);
    await expect(startPostgres({ dataDir })).rejects.toMatchObject({
      code: "ALREADY_RUNNING",
      message: `a PostgreSQL server (process ${postgres.pid}) already runs on ${dataDir}`,
    });
  }
  await using postgres = await startPostgres({ dataDir });
  expect(await postgres.sql("select answer from kept")).toEqual([{ answer: 42 }]);
});

test("is stopped and removed when its owner is killed", async () => {
  const script = `
    import { startPostgres } from ${JSON.stringify(new URL("../src/index.ts", import.meta.url).href)};
    const { pid, port, dataDir } = await startPostgres();
    console.log([pid, port, dataDir].join("\\n"));
    process.stdin.resume();
  `;
  const owner = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: owner.stdout })[Symbol.asyncIterator]();
  const pid = Number((await lines.next()).value);
  const port = Number((await lines.next()).value);
  const dataDir = String((await lines.next()).value);
  const session = connect(port, "127.0.0.1");
  session.resume();
  session.on("error", () => {});
  await once(session, "connect");

  owner.kill("SIGKILL");
  await once(session, "close");
  const removed = async (): Promise<boolean> =>
    await access(dataDir).then(
      () => false,
      () => true,
    );
  await expect.poll(removed, { timeout: 10_000 }).toBe(true);
  expect(() => process.kill(pid, 0)).toThrow("ESRCH");
});

test("creates databases under generated and given names and drops them with their sessions", async () => {
  await using postgres = await startPostgres();
  const names = async (): Promise<unknown[]> =>
    (await postgres.sql("select datname from pg_database order by 1")).map((row) => row["datname"]);
  const before = await names();
  {
    await using generated = await postgres.createDatabase();
    await using given = await postgres.createDatabase('odd "name"');
    expect(await names()).toEqual(expect.arrayContaining([generated.name, 'odd "name"']));
    const client = new pg.Client({
      host: postgres.host,
      port: postgres.port,
      user: postgres.user,
      database: given.name,
    });
    client.on("error", () => {});
    await client.connect();
  }
  expect(await names()).toEqual(before);
});

/** A session that computes for hours without waiting for anything: it does not notice a death. */
async function busySession(postgres: TestPostgres): Promise<{ failed: Promise<void> }> {
  const client = new pg.Client({ host: postgres.host, port: postgres.port, user: postgres.user });
  client.on("error", () => {});
  await client.connect();
  const failed = client.query("select count(*) from generate_series(1, 1e12::bigint)").then(
    () => {
      throw new Error("it came to an end");
    },
    () => undefined,
  );
  const sessions = `select 1 from pg_stat_activity
    where query like '%1e12%' and state = 'active' and pid <> pg_backend_pid()`;
  await expect.poll(async () => await postgres.sql(sessions), { timeout: 10_000 }).toHaveLength(1);
  return { failed };
}

test("asks for the password on TCP and on the unix socket under scram-sha-256", async () => {
  await using postgres = await startPostgres({ auth: "scram-sha-256", password: "sésame 'ouvre" });
  for (const host of [postgres.host, postgres.socketDir]) {
    const { port, user } = postgres;
    const client = new pg.Client({ host, port, user, password: "wrong" });
    await expect(client.connect()).rejects.toMatchObject({ code: "28P01" });
    await client.end();
  }
});

test("leaves no server and no file when its start fails", async () => {
  const temporaryFiles = await temporaryDirectory();
  vi.stubEnv("TMPDIR", temporaryFiles);
  onTestFinished(() => void vi.unstubAllEnvs());
  const started = startPostgres({ settings: { max_connections: "many" } });
  await expect(started).rejects.toMatchObject({ code: "START_FAILED" });
  expect(await readdir(temporaryFiles)).toEqual([]);
});
