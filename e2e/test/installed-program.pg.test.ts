import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { programEnvironment } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import pg from "pg";
import { expect, test } from "vitest";
import * as z from "zod";
import { OutsideConsumer } from "./outside-consumer.ts";

const run = promisify(execFile);
const listening = z.looseObject({ msg: z.string(), port: z.number() });
/** The messages of the log by which the ports are known, where the system chose them. */
const PORTS = {
  http: "HTTP listens",
  grpc: "gRPC listens",
  clients: "the port for PostgreSQL's clients listens",
} as const;

/** Reads a log until every port is in it. */
async function portsIn(log: AsyncIterable<string>): Promise<Readonly<Record<string, number>>> {
  const found: Record<string, number> = {};
  for await (const line of log) {
    const { data } = listening.safeParse(JSON.parse(line));
    const name = Object.entries(PORTS).find(([, msg]) => msg === data?.msg)?.[0];
    if (name !== undefined && data !== undefined) {
      found[name] = data.port;
    }
    if (Object.keys(found).length === Object.keys(PORTS).length) {
      return found;
    }
  }
  throw new Error("the program has ended");
}

test("npm installs the packed program as a command into an empty directory, with nothing beside it", async () => {
  await using consumer = await OutsideConsumer.empty();
  await consumer.installCommands("multipooler");
  expect(await consumer.installed()).toEqual(["multipooler"]);
  expect(await consumer.dependencies("multipooler")).toEqual({});
  const folder = join(consumer.path, "node_modules", "@multipooler", "multipooler");
  const licenses = await readFile(join(folder, "dist", "THIRD-PARTY-NOTICES.txt"), "utf8");
  expect(licenses).toMatch(/^pino \d+\.\d+\.\d+, MIT$/m);
  expect(licenses).not.toContain("@multipooler/");
  const program = consumer.command("multipooler");
  const environment = { ...programEnvironment(), HOME: consumer.path, XDG_STATE_HOME: "" };
  const common = { cwd: consumer.path, env: environment };
  const { stdout: version } = await run(program, ["--version"], common);
  expect(version).toMatch(/^multipooler \d+\.\d+\.\d+/);
  // What is loaded later than the rest: help, settings, completion, and the status page below.
  expect((await run(program, ["settings"], common)).stdout).toContain("--pg-host");
  expect((await run(program, ["completion", "bash"], common)).stdout).toContain("multipooler");

  await using postgres = await startPostgres();
  const { host, port, user } = postgres;
  const where = { "pg-host": host, "pg-port": String(port), "pg-listen-port": "0" };
  const free = { "http-port": "0", "grpc-port": "0", "pg-trust-loopback": "on" };
  const args = Object.entries({ ...where, ...free }).map(([name, value]) => `--${name}=${value}`);
  const child = spawn(program, args, { ...common, stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  await using _ = {
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
  const ports = await portsIn(createInterface({ input: child.stdout }));
  const http = `http://127.0.0.1:${ports["http"]}`;
  const ready = async (): Promise<number> => (await fetch(`${http}/ready`)).status;
  await expect.poll(ready, { timeout: 20_000 }).toBe(200);
  const client = new pg.Client({
    host: "127.0.0.1",
    port: ports["clients"],
    user,
    database: "postgres",
  });
  await client.connect();
  expect((await client.query("select 42 as answer")).rows).toEqual([{ answer: 42 }]);
  await client.end();
  expect(await (await fetch(`${http}/`)).text()).toContain("<html");
  expect(await (await fetch(`${http}/status/main.js`)).text()).toContain("EventSource");
  const ctl = ["ctl", "status", "--address", `127.0.0.1:${ports["grpc"]}`];
  expect((await run(program, ctl, common)).stdout).toContain("SERVING");
  child.kill("SIGINT");
  expect(await exited).toEqual([0, null]);
}, 120_000);

test("npm installs the packed pgctld as a command, with nothing beside it", async () => {
  await using consumer = await OutsideConsumer.empty();
  await consumer.installCommands("pgctld-daemon");
  expect(await consumer.installed()).toEqual(["pgctld-daemon"]);
  const help = await run(consumer.command("pgctld"), ["--help"], { cwd: consumer.path });
  expect(help.stdout).toContain("Usage: pgctld");
}, 120_000);
