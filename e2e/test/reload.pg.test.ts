import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect as grpcClient } from "@multipooler/grpc-services/client";
import { runProgram } from "@multipooler/pooler-process";
import type { ProgramResult } from "@multipooler/pooler-process";
import type pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** How long something may take to show. */
const PATIENCE = { timeout: 20_000 } as const;
const SMALL = { "connpool-global-capacity": "1", "connpool-wait-timeout": "30s" } as const;

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let pooler: ClientPooler;
const clients: pg.Client[] = [];

beforeEach(async () => {
  directory = await temporaryDirectory();
  await configure(SMALL);
  pooler = await ClientPooler.start({ "config-file": file() });
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map(async (client) => await client.end()));
  await pooler?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

const file = (): string => join(directory.path, "pooler.yaml");

async function configure(settings: Readonly<Record<string, string>>): Promise<void> {
  const lines = Object.entries(settings).map(([name, value]) => `${name}: ${value}\n`);
  await writeFile(file(), lines.join(""));
}

async function connect(options: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = await pooler.connect(options);
  clients.push(client);
  return client;
}

async function rows(client: pg.Client, sql: string): Promise<Record<string, unknown>[]> {
  const { rows: found } = await client.query<Record<string, unknown>>(sql);
  return found;
}

async function ctl(command: string, ...args: readonly string[]): Promise<ProgramResult> {
  const address = await pooler.pooler.grpc();
  return await runProgram(["ctl", command, "--address", address, ...args]);
}

async function effective(name: string): Promise<unknown> {
  const answer = await fetch(`${await pooler.pooler.http()}/config`);
  const body: unknown = await answer.json();
  const settings: unknown =
    typeof body === "object" && body !== null && "settings" in body ? body.settings : [];
  return (Array.isArray(settings) ? settings : []).find(
    (setting: { readonly name: string }) => setting.name === name,
  );
}

test("a reload lets those go on that wait, and says what needs a restart", async () => {
  const [holder, waiter] = [await connect(), await connect()];
  await holder.query("begin; select 1");
  const waiting = waiter.query("select 1 as one");
  const admin = await connect({ database: "multipooler" });
  await expect
    .poll(() => rows(admin, "show pools"), PATIENCE)
    .toContainEqual(expect.objectContaining({ cl_waiting: 1 }));
  await configure({ ...SMALL, "connpool-global-capacity": "2", "pg-host": "elsewhere" });
  const { code, stdout, stderr } = await ctl("reload");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  // A flag overrides the file.
  expect(stdout).toBe(`connpool-global-capacity: 1 -> 2 (connpool-global-capacity in ${file()})\n`);
  expect((await waiting).rows).toEqual([{ one: 1 }]);
  expect(await effective("connpool-global-capacity")).toMatchObject({ value: "2" });
  await configure({ ...SMALL, "connpool-global-capacity": "2", cell: "zone7" });
  const pending = await ctl("reload", "--json");
  expect(JSON.parse(pending.stdout)).toEqual({
    pending: [
      {
        change: { name: "cell", before: "zone1", after: "zone7", source: `cell in ${file()}` },
        reason: "the pooler is registered under it",
      },
    ],
  });
  expect(await effective("cell")).toMatchObject({
    value: "zone1",
    pending: { value: "zone7", from: `cell in ${file()}` },
  });
  await holder.query("commit");
});

test("a shorter wait holds for those who wait already, and fewer connections for all", async () => {
  await configure({ "connpool-global-capacity": "2" });
  expect((await ctl("reload")).code).toBe(0);
  const [holder, other, waiter] = [await connect(), await connect(), await connect()];
  await Promise.all([holder.query("begin; select 1"), other.query("begin; select 1")]);
  const refused = expect(waiter.query("select 1")).rejects.toMatchObject({ code: "53300" });
  const admin = await connect({ database: "multipooler" });
  await expect
    .poll(() => rows(admin, "show pools"), PATIENCE)
    .toContainEqual(expect.objectContaining({ cl_waiting: 1 }));
  await configure({ "connpool-global-capacity": "1", "connpool-wait-timeout": "20ms" });
  await admin.query("reload");
  await refused;
  await Promise.all([holder.query("commit"), other.query("commit")]);
  await expect.poll(() => rows(admin, "show servers"), PATIENCE).toHaveLength(1);
  const shown = await rows(admin, "show config");
  expect(shown.find(({ key }) => key === "connpool-wait-timeout")).toMatchObject({
    value: "20ms",
    changeable: "yes",
  });
  expect(shown.find(({ key }) => key === "cell")).toMatchObject({ changeable: "no" });
});

test("limits of clients change, those of clients that are there too", async () => {
  const first = await connect();
  const isGone = new Promise((resolve) => first.once("end", resolve));
  await configure({ ...SMALL, "pg-max-clients": "1", "pg-stats-users": "postgres" });
  pooler.pooler.kill("SIGHUP");
  const { changed } = await pooler.pooler.logged(({ signal }) => signal === "SIGHUP");
  expect(changed).toEqual([
    expect.objectContaining({ name: "pg-max-clients", after: "1" }),
    expect.objectContaining({ name: "pg-stats-users", after: "postgres" }),
  ]);
  await expect(connect()).rejects.toMatchObject({ code: "53300" });
  await configure({ ...SMALL, "pg-client-idle-timeout": "50ms" });
  expect((await ctl("reload")).code).toBe(0);
  await isGone;
});

test("one fault anywhere and nothing changes", async () => {
  await configure({ "connpool-global-capacity": "7", "log-levle": "debug", "pg-port": "many" });
  const { code, stdout, stderr } = await ctl("reload");
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr.trimEnd().split("\n")).toEqual([
    `multipooler: log-levle in ${file()}:2: there is no such setting; did you mean log-level?`,
  ]);
  const admin = await connect({ database: "multipooler" });
  await expect(admin.query("reload")).rejects.toThrow("did you mean log-level?");
  // What would not start is refused too.
  await configure({ "connpool-global-capacity": "7", "grpc-cert": "cert.pem" });
  expect((await ctl("reload")).stderr).toContain("--grpc-cert needs --grpc-key");
  pooler.pooler.kill("SIGHUP");
  const { problems, level } = await pooler.pooler.logged(({ signal }) => signal === "SIGHUP");
  expect({ problems, level }).toEqual({ problems: ["--grpc-cert needs --grpc-key"], level: 50 });
  expect(await effective("connpool-global-capacity")).toMatchObject({ value: "1" });
  expect(await effective("connpool-global-capacity")).not.toHaveProperty("pending");
});

test("the level of the log changes for every component", async () => {
  expect(pooler.pooler.log.some(({ level }) => level === 20)).toBe(false);
  await configure({ ...SMALL, "log-level": "debug" });
  expect((await ctl("reload")).code).toBe(0);
  const client = await pooler.connect();
  await client.end();
  await pooler.pooler.logged(({ level, component }) => level === 20 && component === "pgwire");
});

test("databases are added and taken away while clients of others go on", async () => {
  await pooler.postgres.sql("create database tenant_a");
  await expect(connect({ database: "tenant_a" })).rejects.toMatchObject({ code: "3D000" });
  await configure({ ...SMALL, "pg-databases": "tenant_*" });
  expect((await ctl("reload")).stdout).toContain("pg-databases: unset -> tenant_*");
  const tenant = await connect({ database: "tenant_a" });
  expect(await rows(tenant, "select current_database() as name")).toEqual([{ name: "tenant_a" }]);
  await configure({ ...SMALL });
  expect((await ctl("reload")).code).toBe(0);
  expect(await rows(tenant, "select 1 as one")).toEqual([{ one: 1 }]);
  await expect(connect({ database: "tenant_a" })).rejects.toMatchObject({ code: "3D000" });
});

test("limits of gRPC are those of the last reload", async () => {
  const address = await pooler.pooler.grpc();
  using first = grpcClient({ address });
  expect(await first.isServing("")).toBe(true);
  await configure({ ...SMALL, "grpc-max-connections": "1" });
  expect((await ctl("reload")).code).toBe(0);
  const ready = `${await pooler.pooler.http()}/ready`;
  const connections = async (): Promise<unknown> => await (await fetch(ready)).json();
  await expect.poll(connections, PATIENCE).toMatchObject({ grpc: { open: 1, limit: 1 } });
  using second = grpcClient({ address });
  await expect(second.isServing("")).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect(await first.isServing("")).toBe(true);
});
