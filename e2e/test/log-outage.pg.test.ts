import { execFileSync } from "node:child_process";
import { closeSync, openSync, readFileSync, statSync } from "node:fs";
import { connect } from "@multipooler/grpc-services/client";
import { startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { findFreePort, startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { flagsFor } from "./flags.ts";
import { LogPipe } from "./log-pipe.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const LIMIT_MS = 20_000;

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterAll(async () => {
  await postgres?.[Symbol.asyncDispose]();
});

/** A pooler whose log goes to a descriptor, so that its ports must be known beforehand. */
class LoggingTo implements AsyncDisposable {
  readonly process: PoolerProcess;
  readonly #ports: { readonly http: number; readonly grpc: number };

  private constructor(stdout: number, ports: { readonly http: number; readonly grpc: number }) {
    this.#ports = ports;
    const flags = { "http-port": String(ports.http), "grpc-port": String(ports.grpc) };
    this.process = startPooler({ flags: { ...flagsFor(postgres), ...flags }, stdout });
  }

  static async start(stdout: number): Promise<LoggingTo> {
    const pooler = new LoggingTo(stdout, {
      http: await findFreePort(),
      grpc: await findFreePort(),
    });
    await expect.poll(() => pooler.ready(), { timeout: LIMIT_MS }).toMatchObject({ ready: true });
    return pooler;
  }

  async ready(): Promise<unknown> {
    try {
      return await (await fetch(`http://127.0.0.1:${this.#ports.http}/ready`)).json();
    } catch {
      return undefined;
    }
  }

  async queries(): Promise<void> {
    using client = connect({ address: `127.0.0.1:${this.#ports.grpc}` });
    expect((await client.executeQuery({ query: "select 1" })).result?.commandTag).toBe("SELECT 1");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
  }
}

/** The messages of a log, every line of which must be whole. */
function messages(text: string): readonly unknown[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line): unknown => JSON.parse(line))
    .map((line) => (typeof line === "object" && line !== null && "msg" in line ? line.msg : line));
}

test.runIf(process.platform === "linux")("a disk that is full from the start", async () => {
  const full = openSync("/dev/full", "w");
  await using pooler = await LoggingTo.start(full);
  closeSync(full);
  await pooler.queries();
  expect(await pooler.ready()).toMatchObject({
    ready: true,
    log: { error: expect.stringContaining("ENOSPC"), droppedLines: 0 },
  });
  expect(await pooler.process.stop()).toEqual({ code: 0, signal: null });
  expect(pooler.process.complaints()).toBe(
    "multipooler: the log cannot be written: ENOSPC: no space left on device, write\n",
  );
});

test.runIf(process.platform === "linux")(
  "a file that can grow no more, and later can: the pooler serves on and logs again",
  async () => {
    await using directory = await temporaryDirectory();
    const path = `${directory.path}/log`;
    const file = openSync(path, "a");
    await using pooler = await LoggingTo.start(file);
    closeSync(file);
    const limit = (bytes: number | string): void => {
      execFileSync("prlimit", ["--pid", String(pooler.process.pid), `--fsize=${bytes}:`]);
    };
    // In the middle of the next line.
    limit(statSync(path).size + 10);
    pooler.process.kill("SIGHUP");
    await expect
      .poll(() => pooler.ready(), { timeout: LIMIT_MS })
      .toMatchObject({ ready: true, log: { error: expect.stringContaining("EFBIG") } });
    await pooler.queries();
    limit("unlimited");
    await expect.poll(() => pooler.ready(), { timeout: LIMIT_MS }).not.toHaveProperty("log");
    expect(messages(readFileSync(path, "utf8")).slice(-2)).toEqual([
      expect.stringContaining("SIGHUP"),
      "the log could not be written for some time",
    ]);
    pooler.process.kill("SIGHUP");
    await expect
      .poll(() => messages(readFileSync(path, "utf8")).at(-1))
      .toEqual(expect.stringContaining("SIGHUP"));
    expect(await pooler.process.stop()).toEqual({ code: 0, signal: null });
  },
);

test("a reader that stops, and later reads on: nothing is lost and nobody waits for it", async () => {
  await using directory = await temporaryDirectory();
  using pipe = new LogPipe(directory.path);
  pipe.fill();
  await using pooler = await LoggingTo.start(pipe.writer);
  await pooler.queries();
  expect(await pooler.ready()).not.toHaveProperty("log");
  await expect.poll(() => messages(pipe.read())).toContain("the manager is ready");
  expect(messages(pipe.read())[0]).toBe("HTTP listens");
  expect(await pooler.process.stop()).toEqual({ code: 0, signal: null });
  expect(messages(pipe.read()).at(-1)).toBe("stopped");
  expect(pooler.process.complaints()).toBe("");
});

test("a reader that goes away: the pooler serves on", async () => {
  await using directory = await temporaryDirectory();
  const pipe = new LogPipe(directory.path);
  await using pooler = await LoggingTo.start(pipe.writer);
  pipe[Symbol.dispose]();
  pooler.process.kill("SIGHUP");
  await expect
    .poll(() => pooler.ready(), { timeout: LIMIT_MS })
    .toMatchObject({ ready: true, log: { error: expect.stringContaining("EPIPE") } });
  await pooler.queries();
  expect(await pooler.process.stop()).toEqual({ code: 0, signal: null });
});
