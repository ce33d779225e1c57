import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram, startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { TcpProxy } from "@multipooler/tcp-proxy";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { temporaryDirectory } from "./temporary-directory.ts";

const READY_LIMIT_MS = 20_000;

const parts: AsyncDisposable[] = [];
let postgres: TestPostgres;
let oldHost: TcpProxy;
/** What clients have sent to the server through the old host. */
let sentToOldHost: string;
let pooler: PoolerProcess;
let file: string;

beforeEach(async () => {
  const directory = await temporaryDirectory();
  parts.push(directory);
  file = join(directory.path, "pooler.yaml");
  postgres = await startPostgres();
  parts.push(postgres);
  sentToOldHost = "";
  oldHost = await TcpProxy.before(postgres.port, (bytes) => {
    sentToOldHost += bytes.toString("latin1");
  });
  parts.push(oldHost);
  await configure(oldHost.port);
  pooler = startPooler({
    flags: {
      "config-file": file,
      "pooler-dir": join(directory.path, "pooler"),
      "initial-pooler-type": "primary",
      "pg-listen-port": "0",
    },
  });
  parts.push(pooler);
  await ready(200);
});

afterEach(async () => {
  for (const part of parts.splice(0).toReversed()) {
    await part[Symbol.asyncDispose]();
  }
});

async function configure(port: number): Promise<void> {
  await writeFile(
    file,
    `pg-host: 127.0.0.1\npg-port: ${port}\npg-trust-loopback: on\npg-admin-users: postgres\n`,
  );
}

/** What `/ready` says once it says so. */
async function ready(status: 200 | 503): Promise<unknown> {
  return await pooler.ready(status, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
}

async function ctl(command: string, ...args: readonly string[]): Promise<string> {
  const address = await pooler.grpc();
  const { code, stdout, stderr } = await runProgram([
    "ctl",
    command,
    "--address",
    address,
    ...args,
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

async function client(database = "postgres"): Promise<pg.Client> {
  const [host, port] = (await pooler.pgwire()).split(":");
  const { user } = postgres;
  const one = new pg.Client({ host, port: Number(port), user, database });
  one.on("error", () => undefined);
  await one.connect();
  parts.push({ [Symbol.asyncDispose]: () => one.end() });
  return one;
}

test("a paused pooler whose server has moved to another host resumes there", async () => {
  const one = await client();
  await one.query("select 1");
  await ctl("drain", "--wait");
  await oldHost[Symbol.asyncDispose]();
  const newHost = await TcpProxy.before(postgres.port);
  parts.push(newHost);
  await configure(newHost.port);
  expect(await ctl("reload")).toBe(
    `pg-port: ${oldHost.port} -> ${newHost.port} (pg-port in ${file})\n`,
  );
  await ctl("serve", "--wait");
  expect((await one.query("select 42 as answer")).rows).toEqual([{ answer: 42 }]);
});

test("a pool that the console has paused resumes at the new address", async () => {
  const [one, admin] = [await client(), await client("multipooler")];
  await one.query("select 1");
  await admin.query("pause");
  await oldHost[Symbol.asyncDispose]();
  const newHost = await TcpProxy.before(postgres.port);
  parts.push(newHost);
  await configure(newHost.port);
  await admin.query("reload");
  await ready(200);
  const waiting = one.query("select 42 as answer");
  await admin.query("resume");
  expect((await waiting).rows).toEqual([{ answer: 42 }]);
});

test("a drained pooler that is told to serve right after the reload writes to the new host only", async () => {
  const one = await client();
  await one.query("create table moved (host text)");
  await ctl("drain", "--wait");
  const newHost = await TcpProxy.before(postgres.port);
  parts.push(newHost);
  await configure(newHost.port);
  await ctl("reload");
  await ctl("serve", "--wait");
  await one.query("insert into moved values ('after the reload')");
  expect(sentToOldHost).toContain("create table moved");
  expect(sentToOldHost).not.toContain("insert into moved");
});

test("what a paused client waits with, and what comes after RESUME, is not for the old host", async () => {
  const [one, other, admin] = [await client(), await client(), await client("multipooler")];
  await one.query("create table moved (host text)");
  await admin.query("pause");
  const waiting = one.query("insert into moved values ('before the reload')");
  const newHost = await TcpProxy.before(postgres.port);
  parts.push(newHost);
  await configure(newHost.port);
  await admin.query("reload");
  const { status } = await fetch(`${await pooler.http()}/ready`);
  await admin.query("resume");
  expect(status).toBe(503);
  await expect(waiting).rejects.toMatchObject({ code: "MTF01" });
  await ready(200);
  await other.query("insert into moved values ('after the reload')");
  expect(sentToOldHost).toContain("create table moved");
  expect(sentToOldHost).not.toContain("insert into moved");
});

test("a pooler that serves goes to another address with its clients, by itself", async () => {
  const one = await client();
  await one.query("select 1");
  const newHost = await TcpProxy.before(postgres.port);
  parts.push(newHost);
  await configure(newHost.port);
  await ctl("reload");
  // It says so of the new host only.
  await ready(200);
  await oldHost[Symbol.asyncDispose]();
  expect((await one.query("select 42 as answer")).rows).toEqual([{ answer: 42 }]);
});

test("another cluster at the new address is not served from, and the way back is open", async () => {
  const stranger = await startPostgres();
  parts.push(stranger);
  await configure(stranger.port);
  await ctl("reload");
  const refused = expect.stringMatching(/has system identifier \d+, and the shard \d+/);
  await expect
    .poll(() => ready(503), { timeout: READY_LIMIT_MS })
    .toMatchObject({ reason: refused });
  await configure(oldHost.port);
  await ctl("reload");
  await ready(200);
});
