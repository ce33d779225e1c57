import { spawn } from "node:child_process";
import { once } from "node:events";
import { platform } from "node:process";
import { connect } from "@multipooler/grpc-services/client";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import {
  programEnvironment,
  programPath,
  runProgram,
  startPooler,
} from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { handlesHangup, signalsWhileLoading } from "./early-signals.ts";
import { flagsFor } from "./flags.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const HARMLESS = ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const;
const READY_LIMIT_MS = 20_000;
/** Often enough that signals meet every step of the start. */
const STORM_MS = 2;

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterAll(async () => {
  await postgres?.[Symbol.asyncDispose]();
});

async function isReady(pooler: PoolerProcess): Promise<void> {
  await pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
}

function linesAbout(pooler: PoolerProcess, signal: string): readonly string[] {
  return pooler.log.filter((line) => line["signal"] === signal).map(({ msg }) => msg);
}

/** The addresses that Node says its debugger listens on. */
function debuggers(pooler: PoolerProcess): readonly (string | undefined)[] {
  return Array.from(pooler.complaints().matchAll(/ws:\/\/([\d.]+:\d+)/g), ([, address]) => address);
}

test.each(HARMLESS)(
  "%s while a statement runs: it ends normally, one line says so",
  async (name) => {
    await using pooler = startPooler({ flags: flagsFor(postgres) });
    await isReady(pooler);
    using client = connect({ address: await pooler.grpc() });
    const running = client.executeQuery({ query: `select pg_sleep(0.5), '${name}'` });
    await expect
      .poll(() =>
        postgres.sql(
          `select 1 from pg_stat_activity where query like '%${name}%' and wait_event = 'PgSleep'`,
        ),
      )
      .toHaveLength(1);
    pooler.kill(name);
    expect((await pooler.logged((line) => line["signal"] === name)).msg).toMatch(`${name} `);
    expect((await running).result?.commandTag).toBe("SELECT 1");
    await isReady(pooler);
    expect(linesAbout(pooler, name)).toHaveLength(1);
    expect(pooler.complaints(), "no debugger listens").toBe("");
    expect(await pooler.stop()).toEqual({ code: 0, signal: null });
  },
);

test("signals that arrive before a module is loaded are survived and logged later", async () => {
  await using pooler = startPooler({
    flags: flagsFor(postgres),
    nodeOptions: [signalsWhileLoading(HARMLESS)],
  });
  await isReady(pooler);
  for (const name of HARMLESS) {
    expect(linesAbout(pooler, name)).toHaveLength(1);
  }
  expect(pooler.complaints()).toBe("");
});

test("a debugger that SIGUSR1 opened before the first statement is closed for good", async () => {
  await using pooler = startPooler({
    flags: flagsFor(postgres),
    nodeOptions: [
      "--inspect-port=127.0.0.1:0",
      "--import=data:text/javascript,process.kill(process.pid,'SIGUSR1')",
    ],
  });
  await isReady(pooler);
  expect(debuggers(pooler)).not.toHaveLength(0);
  for (const address of debuggers(pooler)) {
    await expect(fetch(`http://${address}/json/list`)).rejects.toThrow("fetch failed");
  }
});

test("a debugger that was asked for stays", async () => {
  await using pooler = startPooler({
    flags: flagsFor(postgres),
    nodeOptions: ["--inspect=127.0.0.1:0"],
  });
  await isReady(pooler);
  const [address] = debuggers(pooler);
  expect((await fetch(`http://${address}/json/list`)).status).toBe(200);
});

test.runIf(platform === "linux")(
  "a storm of signals from the first handler on is survived",
  async () => {
    await using pooler = startPooler({ flags: flagsFor(postgres) });
    await handlesHangup(pooler.pid);
    const storm = setInterval(() => HARMLESS.forEach((name) => pooler.kill(name)), STORM_MS);
    try {
      await isReady(pooler);
    } finally {
      clearInterval(storm);
    }
    expect(pooler.complaints()).toBe("");
    expect(await pooler.stop()).toEqual({ code: 0, signal: null });
  },
);

test("a closed terminal ends a ctl command", async () => {
  await using directory = await temporaryDirectory();
  const topology = ["--topo-implementation", "sqlite"];
  topology.push("--topo-global-server-addresses", `${directory.path}/topology.db`);
  expect((await runProgram(["ctl", "topo", "init", ...topology])).stderr).toBe("");
  const child = spawn(process.execPath, [programPath(), "ctl", "topo", "watch", ...topology], {
    env: programEnvironment(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  await once(child.stdout, "data");
  child.kill("SIGHUP");
  expect(await ended).toEqual([null, "SIGHUP"]);
});
