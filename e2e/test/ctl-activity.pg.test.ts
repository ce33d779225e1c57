import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "@multipooler/grpc-services/client";
import { programEnvironment, programPath, runProgram } from "@multipooler/pooler-process";
import type { ProgramResult } from "@multipooler/pooler-process";
import type pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const TOKEN = "correct-horse-battery-staple";
/** How long something may take to show. */
const PATIENCE = { timeout: 20_000 } as const;

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let pooler: ClientPooler;
const clients: pg.Client[] = [];

beforeAll(async () => {
  directory = await temporaryDirectory();
  await writeFile(tokenFile(), `${TOKEN}\n`);
  pooler = await ClientPooler.start({
    "connpool-global-capacity": "2",
    "grpc-manager-token-file": tokenFile(),
    "grpc-socket-file": socketFile(),
  });
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map(async (each) => await each.end()));
});

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

const socketFile = (): string => join(directory.path, "grpc.sock");
const tokenFile = (): string => join(directory.path, "tokens");

async function client(name: string): Promise<pg.Client> {
  const made = await pooler.connect({ application_name: name });
  clients.push(made);
  return made;
}

async function ctl(...args: readonly string[]): Promise<ProgramResult> {
  const address = await pooler.pooler.grpc();
  return await runProgram(["ctl", ...args, "--address", address, "--token-file", tokenFile()]);
}

async function json(what: string): Promise<unknown> {
  const { stdout, stderr, code } = await ctl(what, "--json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

test("pools and clients show who works, who waits and who keeps a connection", async () => {
  const [holder, other, waiter] = [await client("till"), await client("desk"), await client("web")];
  await Promise.all([holder.query("begin; select 1"), other.query("begin; select 1")]);
  const waiting = waiter.query("select 1");
  await expect
    .poll(() => json("pools"), PATIENCE)
    .toEqual([expect.objectContaining({ database: "postgres", used: 2, waiting: 1, limit: 2 })]);
  expect(await json("clients")).toEqual([
    expect.objectContaining({ applicationName: "till", state: "CLIENT_STATE_PINNED" }),
    expect.objectContaining({ applicationName: "desk", pinReason: "Transaction" }),
    expect.objectContaining({ applicationName: "web", state: "CLIENT_STATE_WAITING" }),
  ]);
  expect((await ctl("pools")).stdout).toMatch(
    /^database +user +used +idle .*longest wait\npostgres +postgres +2 +0 /,
  );
  expect((await ctl("clients")).stdout).toMatch(/postgres +waiting +\d+/);
  const { stdout } = await ctl("reservations");
  expect(stdout).toMatch(/client +\d+ +postgres +postgres +Transaction /);
  await holder.query("rollback");
  await waiting;
});

test("kill ends a client, and rolls its transaction back", async () => {
  const victim = await client("victim");
  const gone = new Promise((resolve) => victim.once("end", resolve));
  await victim.query("create table if not exists marks (n int)");
  await victim.query("begin; select 1");
  await victim.query("insert into marks values (1)");
  const [, id = ""] = /^ *(\d+) /m.exec((await ctl("clients")).stdout) ?? [];
  const killed = await ctl("kill", id);
  expect(killed).toEqual({ code: 0, stdout: `client ${id} is ended\n`, stderr: "" });
  await gone;
  await expect
    .poll(() => pooler.postgres.sql("select count(*)::int as n from marks"), PATIENCE)
    .toEqual([{ n: 0 }]);
  expect(await ctl("kill", id)).toMatchObject({
    code: 1,
    stderr: `multipooler: there is no client ${id}\n`,
  });
  expect(await ctl("kill", "one")).toMatchObject({ code: 2 });
});

test("kill ends a reservation of a gateway", async () => {
  using gateway = connect({ address: await pooler.pooler.grpc() });
  const reserved = gateway.streamExecute({
    query: "select 1",
    reservationOptions: { reasons: 1, beginQuery: "begin" },
  });
  let id = 0n;
  for await (const { reservedState } of reserved) {
    id = reservedState?.reservedConnectionId ?? id;
  }
  expect(await json("reservations")).toMatchObject({
    reservations: [{ id: String(id), reasons: ["Transaction"], user: "postgres" }],
  });
  expect((await ctl("kill", "--reservation", String(id))).stdout).toBe(
    `reservation ${id} is ended\n`,
  );
  expect(await json("reservations")).toEqual({ reservations: [], clients: [] });
});

test("without the token nobody manages, and queries are served", async () => {
  const address = await pooler.pooler.grpc();
  const refused = await runProgram(["ctl", "drain", "--address", address]);
  expect(refused).toEqual({
    code: 1,
    stdout: "",
    stderr: "multipooler: this service asks for a token: there is none\n",
  });
  const served = await runProgram(["ctl", "query", "select 1", "--address", address]);
  expect(served.code).toBe(0);
  const absent = join(directory.path, "absent");
  expect((await runProgram(["ctl", "status", "--token-file", absent])).stderr).toBe(
    `multipooler: --token-file: ${absent} does not exist\n`,
  );
});

test.each([
  ["top", /zone1\/e2e.*\n\d+ clients: /],
  ["pools", /^database +user/],
])("%s shows again and again until Ctrl-C, and ends with 0", async (command, view) => {
  const shown = await watched(
    /database +user/g,
    command,
    ...(command === "top" ? [] : ["--watch"]),
  );
  expect(shown).toMatch(view);
  expect(shown).not.toContain("\u001b");
});

test.each([["top"], ["clients", "--watch"]])(
  "%s --json says what clients call themselves, and nothing of it controls a terminal",
  async (...command) => {
    const name = "x\u{9b}2J\u{7f}";
    await client(name);
    const shown = await watched(/\n/g, ...command, "--json");
    expect(shown).toContain(String.raw`"x\u009b2J\u007f"`);
    expect(shown).not.toMatch(/[\u{7f}-\u{9f}]/u);
  },
);

/** What a command that is renewed has printed once `view` was there three times; Ctrl-C ends it. */
async function watched(view: RegExp, ...command: readonly string[]): Promise<string> {
  const address = await pooler.pooler.grpc();
  const args = ["ctl", ...command, "--interval", "100ms", "--address", address];
  const child = spawn(process.execPath, [programPath(), ...args, "--token-file", tokenFile()], {
    env: programEnvironment(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  let shown = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (shown += text));
  await expect.poll(() => shown.match(view)?.length ?? 0, PATIENCE).toBeGreaterThan(2);
  child.kill("SIGINT");
  expect(await ended).toEqual([0, null]);
  return shown;
}

test("ctl finds a pooler by its socket, too, in an argument or a variable", async () => {
  const address = `unix:${socketFile()}`;
  const args = ["ctl", "status", "--json", "--token-file", tokenFile()];
  const shown = await runProgram([...args, "--address", address]);
  expect(shown).toMatchObject({ code: 0, stdout: expect.stringContaining('"name": "e2e"') });
  const env = { MULTIPOOLER_ADDRESS: address };
  expect(await runProgram(args, { env })).toMatchObject({ code: 0 });
});

test("an interval that is none is refused by its name", async () => {
  expect(await ctl("top", "--interval", "1")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--interval: "1" is not a duration from 100ms'),
  });
});
