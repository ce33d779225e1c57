import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import pg from "pg";
import { expect, onTestFinished, test, vi } from "vitest";
import { LocalPostgres } from "../src/index.ts";
import type { LocalPostgresOptions } from "../src/index.ts";
import { serverProcesses } from "../src/server/processes.ts";
import { debian, embedded, installations } from "./installations.ts";
import { busySession, localPostgres, refusal, sql, startedPostgres } from "./local-server.ts";

/** The PID of a server that runs, for sure. */
async function pidOf(postgres: LocalPostgres): Promise<number> {
  const status = await postgres.status();
  if (status.state === "not-initialized" || status.state === "stopped") {
    throw new Error("it does not run");
  }
  return status.pid;
}

test.each(installations)("starts, restarts and stops PostgreSQL $version", async (installation) => {
  const { postgres, options } = await startedPostgres({ installation });
  const first = await pidOf(postgres);
  expect(await postgres.status()).toMatchObject({
    state: "running",
    ready: true,
    role: "primary",
    port: options.port,
    version: installation.version,
  });
  expect(await postgres.start()).toEqual({ pid: first, alreadyRunning: true, recovered: false });
  await sql(options, "create table kept as select 42 as answer");
  const { pid, alreadyRunning } = await postgres.restart();
  expect([pid === first, alreadyRunning]).toEqual([false, false]);
  expect(await sql(options, "select answer from kept")).toEqual([{ answer: 42 }]);
  expect(await postgres.stop()).toBe("fast");
  expect(await postgres.stop()).toBe("not-running");
  expect(await postgres.status()).toMatchObject({ state: "stopped", cluster: "shut down" });
  expect(await serverProcesses(options.dataDir)).toEqual([]);
  expect((await refusal(postgres.reload())).code).toBe("NOT_RUNNING");
  expect((await refusal(postgres.promote())).code).toBe("NOT_RUNNING");
});

test("applies calls in the order in which they were made", async () => {
  const { postgres } = await startedPostgres();
  const [stopped, started, again, last] = await Promise.all([
    postgres.stop(),
    postgres.start(),
    postgres.stop({ mode: "immediate" }),
    postgres.start(),
  ]);
  expect([stopped, again]).toEqual(["fast", "immediate"]);
  expect([started.alreadyRunning, last.alreadyRunning]).toEqual([false, false]);
  expect(await pidOf(postgres)).toBe(last.pid);
});

/** A process of its own that runs these statements with its `postgres`. */
function otherProcess(
  { logger: _logger, ...plain }: LocalPostgresOptions,
  statements: string,
): ChildProcessByStdio<Writable, Readable, null> {
  const module = new URL("../src/index.ts", import.meta.url).href;
  const script = `
    import { LocalPostgres } from ${JSON.stringify(module)};
    const logger = { info() {}, warn() {} };
    const postgres = new LocalPostgres({ ...${JSON.stringify(plain)}, logger });
    ${statements}
  `;
  return spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["pipe", "pipe", "inherit"],
  });
}

test("a process does not end while it waits for the end of its server", async () => {
  const { postgres, options } = await localPostgres();
  await postgres.initialize();
  const child = otherProcess(
    options,
    `const giveUp = new AbortController();
    const started = postgres.start({}, { signal: giveUp.signal }).catch(() => undefined);
    while (postgres.launched === undefined) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    giveUp.abort();
    await started;
    await postgres.stop();
    console.log("stopped");`,
  );
  const [said, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
  expect([said, code]).toEqual(["stopped\n", 0]);
  expect(await serverProcesses(options.dataDir)).toEqual([]);
});

test("loses no server when its process is killed; the next one takes over", async () => {
  const { postgres, options } = await localPostgres();
  await postgres.initialize();
  const daemon = otherProcess(
    options,
    "console.log((await postgres.start()).pid); process.stdin.resume();",
  );
  const lines = createInterface({ input: daemon.stdout })[Symbol.asyncIterator]();
  const pid = Number((await lines.next()).value);
  const client = new pg.Client({
    host: "127.0.0.1",
    port: options.port,
    user: "postgres",
    password: options.password,
  });
  await client.connect();
  daemon.kill("SIGKILL");
  await once(daemon, "close");
  expect(await postgres.start()).toEqual({ pid, alreadyRunning: true, recovered: false });
  await expect(client.query("select 1 as one")).resolves.toMatchObject({ rows: [{ one: 1 }] });
  await client.end();
  expect(await postgres.stop()).toBe("fast");
  expect(await serverProcesses(options.dataDir)).toEqual([]);
});

test.each(installations)(
  "starts PostgreSQL $version again after its main process was killed",
  async (installation) => {
    const { postgres, options } = await startedPostgres({ installation });
    await sql(options, "create table kept as select 42 as answer");
    await busySession(options);
    process.kill(await pidOf(postgres), "SIGKILL");
    await postgres.launched?.ended;
    expect(await postgres.status()).toMatchObject({ state: "stopped", cluster: "in production" });
    const { alreadyRunning } = await postgres.start();
    expect(alreadyRunning).toBe(false);
    expect(await sql(options, "select answer from kept")).toEqual([{ answer: 42 }]);
  },
);

test("ends what outlived a main process that was killed", async () => {
  const { postgres, options } = await startedPostgres();
  await busySession(options);
  process.kill(await pidOf(postgres), "SIGKILL");
  await postgres.launched?.ended;
  expect(await postgres.stop()).toBe("not-running");
  expect(await serverProcesses(options.dataDir)).toEqual([]);
});

test("stops the server that is meant, and no other that has taken its place", async () => {
  const { postgres, options } = await startedPostgres();
  const first = await pidOf(postgres);
  process.kill(first, "SIGKILL");
  await postgres.launched?.ended;
  const successor = new LocalPostgres(options);
  const { pid } = await successor.start();
  expect(await postgres.stop({ pid: first })).toBe("not-running");
  expect(await pidOf(postgres)).toBe(pid);
  expect(await postgres.stop({ pid })).toBe("fast");
  expect(successor.launched?.pid).toBe(pid);
});

test("tells when the server has stopped, and takes its own restart for no stop", async () => {
  const { postgres, options } = await startedPostgres();
  const onStopped = vi.fn<() => void>();
  const stopped = postgres.untilStopped().then(onStopped);
  await postgres.restart();
  expect(onStopped).not.toHaveBeenCalled();
  const observer = new LocalPostgres(options);
  const given = observer.untilStopped({ signal: AbortSignal.abort() });
  expect((await refusal(given)).code).toBe("CANCELLED");
  const observed = observer.untilStopped();
  await postgres.stop();
  await Promise.all([stopped, observed]);
});

test("starts although the dead server's PID belongs to another program by now", async () => {
  const { postgres, options } = await startedPostgres();
  await postgres.kill();
  const { uid, gid } = await stat(options.dataDir);
  const other = spawn("sleep", ["600"], { uid, gid, cwd: "/" });
  onTestFinished(() => void other.kill());
  const lockFile = join(options.dataDir, "postmaster.pid");
  const [, ...rest] = (await readFile(lockFile, "utf8")).split("\n");
  await writeFile(lockFile, [other.pid, ...rest].join("\n"));
  expect(await postgres.status()).toMatchObject({ state: "stopped" });
  expect(await postgres.stop()).toBe("not-running");
  expect(other.exitCode).toBeNull();
  await postgres.start();
  expect(await sql(options, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("starts beside a lock file that is empty, as a full disk leaves it", async () => {
  const { postgres, options } = await startedPostgres();
  await postgres.stop();
  await writeFile(join(options.dataDir, "postmaster.pid"), "");
  expect(await postgres.status()).toMatchObject({ state: "stopped" });
  const error = await refusal(postgres.start());
  expect(error.code).toBe("START_FAILED");
  expect(error.message).toMatch(/lock file "postmaster\.pid" is empty/);
});

test("says in PostgreSQL's words why it does not start", async () => {
  const { postgres, options } = await localPostgres({ settings: { max_connections: "many" } });
  await postgres.initialize();
  const error = await refusal(postgres.start());
  expect(error.code).toBe("START_FAILED");
  expect(error.message).toMatch(
    /^PostgreSQL did not start on .*: .*max_connections.*|configuration file .* contains errors/,
  );
  expect(error.message).toMatch(/^[^\n]+$/);
  expect(await postgres.status()).toMatchObject({ state: "stopped", dataDir: options.dataDir });
});

test("says that the port is taken", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void other.close());
  await once(other, "listening");
  const address = other.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  const { postgres } = await localPostgres({ port });
  await postgres.initialize();
  expect(await refusal(postgres.start())).toMatchObject({
    code: "PORT_IN_USE",
    message: `PostgreSQL cannot listen on port ${port}: another program uses it`,
  });
});

const skip = debian === undefined;
test("refuses a data directory of another version, even one that runs", { skip }, async () => {
  const { postgres, options } = await startedPostgres({ installation: debian ?? embedded });
  const wrong = new LocalPostgres({ ...options, installation: embedded });
  const message = /was made by PostgreSQL 15, and this is PostgreSQL 17/;
  for (const call of [() => wrong.start(), () => wrong.restart(), () => wrong.initialize()]) {
    const error = await refusal(call());
    expect(error.code).toBe("WRONG_VERSION");
    expect(error.message).toMatch(message);
  }
  expect(await postgres.status()).toMatchObject({ state: "running" });
});

test("narrows permissions that PostgreSQL would not start with", async () => {
  const { postgres, options } = await startedPostgres();
  await postgres.stop();
  await chmod(options.dataDir, 0o777);
  await postgres.start();
  expect((await stat(options.dataDir)).mode & 0o777).toBe(0o750);
});

test("makes the stop of a server that hangs harsher", async () => {
  const { postgres, options } = await startedPostgres();
  const pid = await pidOf(postgres);
  // It does not get to see what it is told to.
  process.kill(pid, "SIGSTOP");
  expect(await postgres.status()).toMatchObject({ state: "running", ready: false });
  const stopped = postgres.stop({ mode: "fast", timeoutMs: 0 });
  await expect
    .poll(async () => await readFile(`/proc/${pid}/status`, "utf8"), { interval: 5 })
    // SIGQUIT waits to be delivered: bit 2 of the signals that are pending.
    .toMatch(/^ShdPnd:\s+[0-9a-f]+[4-7c-f]$/m);
  process.kill(pid, "SIGCONT");
  expect(await stopped).toBe("immediate");
  expect(await serverProcesses(options.dataDir)).toEqual([]);
  await postgres.start();
});

test("waits for sessions in smart mode, and never makes it harsher", async () => {
  const { postgres, options } = await startedPostgres();
  const client = new pg.Client({
    host: "127.0.0.1",
    port: options.port,
    user: "postgres",
    password: options.password,
  });
  await client.connect();
  const error = await refusal(postgres.stop({ mode: "smart", timeoutMs: 0 }));
  expect(error.code).toBe("STOP_TIMEOUT");
  await expect(client.query("select 1 as one")).resolves.toMatchObject({ rows: [{ one: 1 }] });
  await client.end();
  // It may have ended in the meantime: the first call goes on in the server.
  expect(["smart", "not-running"]).toContain(await postgres.stop({ mode: "smart" }));
  expect(await postgres.status()).toMatchObject({ state: "stopped", cluster: "shut down" });
});

test("reads its configuration again, and says what is wrong with it", async () => {
  const { options } = await startedPostgres({ settings: { work_mem: "5MB" } });
  const changed = new LocalPostgres({ ...options, settings: { work_mem: "6MB" } });
  await changed.reload();
  expect(await sql(options, "show work_mem")).toEqual([{ work_mem: "6MB" }]);
  const wrong = new LocalPostgres({ ...options, settings: { work_mem: "a lot" } });
  const error = await refusal(wrong.reload());
  expect(error.code).toBe("CONFIGURATION_REJECTED");
  expect(error.message).toContain('invalid value for parameter "work_mem": "a lot"');
  await writeFile(join(options.dataDir, "pg_hba.conf"), "everybody is welcome\n");
  expect((await refusal(changed.reload())).message).toContain("pg_hba.conf");
  expect(await sql(options, "show work_mem")).toEqual([{ work_mem: "6MB" }]);
});

/** Recovery waits for a file from an archive until its process ends: the server starts for ever. */
const STARTS_FOR_EVER = {
  restore_command: "while kill -0 $PPID 2>/dev/null; do sleep 0.05; done",
};

test("gives up waiting for a start, and the server goes on", async () => {
  const { postgres, options } = await startedPostgres({ settings: STARTS_FOR_EVER });
  await postgres.stop();
  const controller = new AbortController();
  const started = refusal(postgres.start({ role: "standby" }, { signal: controller.signal }));
  await expect
    .poll(() => postgres.status(), { interval: 20, timeout: 20_000 })
    .toMatchObject({ state: "starting" });
  controller.abort(new Error("enough"));
  expect(await started).toMatchObject({ code: "CANCELLED", cause: { message: "enough" } });
  const pid = await pidOf(postgres);
  const hasty = new LocalPostgres({ ...options, startTimeoutMs: 0 });
  expect(await refusal(hasty.start())).toMatchObject({
    code: "START_TIMEOUT",
    message: `PostgreSQL (process ${pid}) runs already and was not ready within 0 ms`,
  });
  await postgres.kill();
  const error = await refusal(hasty.start());
  expect(error.code).toBe("START_TIMEOUT");
  expect(error.message).toMatch(/^PostgreSQL was not ready within 0 ms and goes on starting: /);
  await hasty.kill();
});

test("stops a server whose start was given up, however young it is", async () => {
  const { postgres, options } = await startedPostgres({ settings: STARTS_FOR_EVER });
  await postgres.stop();
  const before = postgres.launched;
  const controller = new AbortController();
  const started = refusal(postgres.start({ role: "standby" }, { signal: controller.signal }));
  await expect.poll(() => postgres.launched, { interval: 1, timeout: 20_000 }).not.toBe(before);
  controller.abort();
  expect((await started).code).toBe("CANCELLED");
  expect(await postgres.stop()).not.toBe("not-running");
  expect(postgres.launched?.isRunning).toBe(false);
  expect(await serverProcesses(options.dataDir)).toEqual([]);
});

test("ends a restore_command that a standby waits for", async () => {
  const { postgres } = await startedPostgres({ settings: STARTS_FOR_EVER });
  expect(await postgres.stopRestoreCommand()).toEqual({ found: false, killed: false });
  await postgres.stop();
  const controller = new AbortController();
  const started = refusal(postgres.start({ role: "standby" }, { signal: controller.signal }));
  const ended = (): Promise<unknown> => postgres.stopRestoreCommand();
  await expect.poll(ended, { timeout: 20_000 }).toEqual({ found: true, killed: true });
  controller.abort();
  await started;
});

test("answers what a server says of itself, while it cannot answer", async () => {
  const { postgres, options } = await startedPostgres();
  const pid = await pidOf(postgres);
  const lockFile = join(options.dataDir, "postmaster.pid");
  const lines = (await readFile(lockFile, "utf8")).split("\n");
  process.kill(pid, "SIGSTOP");
  const expected = [
    ["starting", { state: "starting", pid }],
    ["stopping", { state: "stopping", pid }],
    ["standby ", { state: "running", ready: false, role: "standby", pid }],
    ["", { state: "starting", pid }],
    ["ready   ", { state: "running", ready: false, role: "primary", pid }],
  ] as const;
  for (const [status, answer] of expected) {
    await writeFile(lockFile, [...lines.slice(0, 7), status, ""].join("\n"));
    expect(await postgres.status()).toMatchObject(answer);
  }
});

test.each<[string, Partial<LocalPostgresOptions>, RegExp]>([
  ["a port that is none", { port: 70_000 }, /^port must be from 1 to 65535, not 70000$/],
  ["a relative path", { dataDir: "data" }, /^dataDir must be an absolute path, not "data"$/],
  ["an empty password", { password: "" }, /^password must be one line/],
  ["a user of two lines", { user: "a\nb" }, /^user must be one line/],
  [
    "a socket directory that is too long",
    { socketDir: `/${"s".repeat(100)}` },
    /^socketDir is too/,
  ],
  ["a setting of its own", { settings: { Port: "1" } }, /^the setting Port is given by pgctld/],
  ["no name of a setting", { settings: { "a b": "1" } }, /^"a b" is no name of a setting/],
  ["a value of two lines", { settings: { a: "1\nb = 2" } }, /^the value of the setting a has a/],
  ["a network that is none", { access: { networks: ["10.0.0.0/33"] } }, /not "10\.0\.0\.0\/33"$/],
  ["a network with a rule", { access: { networks: ["all trust"] } }, /not "all trust"$/],
  ["a timeout that is none", { stopTimeoutMs: -1 }, /^stopTimeoutMs must be a number of/],
])("refuses %s", async (_name, options, message) => {
  const error = await refusal(localPostgres(options));
  expect(error.code).toBe("INVALID_ARGUMENT");
  expect(error.message).toMatch(message);
});
