import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "@multipooler/grpc-services/client";
import { runProgram } from "@multipooler/pooler-process";
import type { LogLine } from "@multipooler/pooler-process";
import type pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** How long something may take to show. */
const PATIENCE = { timeout: 20_000 } as const;
const SLOW = "a slow statement";

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let pooler: ClientPooler;
const clients: pg.Client[] = [];

beforeAll(async () => {
  directory = await temporaryDirectory();
  await configure("log-slow-statements: 100ms\nlog-slow-waits: 100ms\nlog-statement-length: 30\n");
  pooler = await ClientPooler.start({
    "config-file": file(),
    "connpool-global-capacity": "1",
  });
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map(async (each) => await each.end()));
});

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

const file = (): string => join(directory.path, "pooler.yaml");
const configure = async (text: string): Promise<void> => await writeFile(file(), text);

async function client(): Promise<pg.Client> {
  const made = await pooler.connect();
  clients.push(made);
  return made;
}

function lines(message: string): readonly LogLine[] {
  return pooler.pooler.log.filter(({ msg }) => msg === message);
}

test("a slow statement is logged with who ran it, cut, and without its parameters", async () => {
  const session = await client();
  await session.query("select $1::text, pg_sleep($2) /* what comes behind is cut */", [
    "a secret value",
    0.2,
  ]);
  const { statement, user, database, origin, durationMs } = await pooler.pooler.logged(
    ({ msg }) => msg === SLOW,
  );
  expect({ statement, user, database }).toEqual({
    statement: "select $1::text, pg_sleep($2) …",
    user: "postgres",
    database: "postgres",
  });
  expect(origin).toMatch(/^127\.0\.0\.1:\d+$/);
  expect(Number(durationMs)).toBeGreaterThanOrEqual(200);
  expect(JSON.stringify(pooler.pooler.log)).not.toContain("a secret value");
});

test("values of parameters are logged after a reload that asks for them, of drivers and gateways", async () => {
  const common = "log-slow-statements: 100ms\nlog-slow-waits: 100ms\nlog-statement-length: 30\n";
  await configure(`${common}log-parameter-length: 8\n`);
  const address = await pooler.pooler.grpc();
  expect((await runProgram(["ctl", "reload", "--address", address])).code).toBe(0);
  const session = await client();
  await session.query("select $1::text, pg_sleep($2) as shown", ["wanted in the log", 0.2]);
  const { parameters } = await pooler.pooler.logged((line) => line["parameters"] !== undefined);
  expect(parameters).toEqual(["wanted i…", "0.2"]);
  await configure(common);
  expect((await runProgram(["ctl", "reload", "--address", address])).code).toBe(0);
});

test("a slow call of a gateway is logged too", async () => {
  using gateway = connect({ address: await pooler.pooler.grpc() });
  const query = "select pg_sleep(0.2) as gateway";
  await gateway.executeQuery({ query });
  const { origin } = await pooler.pooler.logged(
    ({ msg, statement }) => msg === SLOW && String(statement).startsWith("select pg_sleep(0.2)"),
  );
  expect(origin).not.toBe("");
});

test("a wait for a connection is logged with who waited", async () => {
  const [holder, waiter] = [await client(), await client()];
  await holder.query("begin");
  const waiting = waiter.query("select 1");
  await holder.query("select pg_sleep(0.3)");
  await holder.query("commit");
  await waiting;
  const { user, waitMs } = await pooler.pooler.logged(
    ({ msg }) => msg === "a slow wait for a connection",
  );
  expect(user).toBe("postgres");
  expect(Number(waitMs)).toBeGreaterThanOrEqual(100);
});

test("a reload switches it off", async () => {
  await configure("");
  const { code } = await runProgram(["ctl", "reload", "--address", await pooler.pooler.grpc()]);
  expect(code).toBe(0);
  const before = lines(SLOW).length;
  const session = await client();
  await session.query("select pg_sleep(0.2)");
  // What is logged later shows that nothing was before.
  pooler.pooler.kill("SIGUSR1");
  await pooler.pooler.logged(({ signal }) => signal === "SIGUSR1");
  await expect.poll(() => lines(SLOW).length, PATIENCE).toBe(before);
});
