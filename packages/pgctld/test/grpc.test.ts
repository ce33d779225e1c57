import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { PgctldError, PgctldErrorCode, PgctldServer, RemotePostgres } from "../src/index.ts";
import type { PostgresStatus } from "../src/index.ts";
import { statusResponse } from "../src/grpc/pgctld-calls.ts";
import { FakeControl } from "./fake-control.ts";
import { refusal } from "./local-server.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const PLACE = { dataDir: "/data", port: 5432, socketDir: "/sockets", version: "17.10" };
const SILENT = { info: () => undefined, warn: () => undefined };
const NOW = Date.UTC(2026, 0, 1, 1);
const RUNS = { pid: 7, startedAt: new Date(NOW - 90_500) };

async function scene(): Promise<{
  control: FakeControl;
  remote: RemotePostgres;
  server: PgctldServer;
  log: unknown[];
}> {
  const control = new FakeControl({ state: "not-initialized", ...PLACE });
  const log: unknown[] = [];
  const logger = {
    info: () => undefined,
    warn: (fields: object, message: string) => void log.push([fields, message]),
  };
  const server = new PgctldServer({ control, address: "127.0.0.1:0", logger });
  await server.listen();
  const remote = new RemotePostgres(`127.0.0.1:${server.port}`, { now: () => Date.now() });
  onTestFinished(async () => {
    remote[Symbol.dispose]();
    await server.close({ signal: AbortSignal.timeout(1000) });
  });
  return { control, remote, server, log };
}

test("passes each verb on, and its answer back", async () => {
  const { control, remote } = await scene();
  expect(await remote.initialize({ local: "peer", host: "trust" })).toEqual({
    alreadyInitialized: false,
  });
  control.answers.alreadyInitialized = true;
  expect(await remote.initialize()).toEqual({ alreadyInitialized: true });
  expect(await remote.start({ role: "primary" })).toEqual({
    pid: 4711,
    alreadyRunning: false,
    recovered: false,
  });
  control.answers.started = { pid: 4712, alreadyRunning: true, recovered: true };
  expect(await remote.start({ recoverFirst: true })).toEqual(control.answers.started);
  expect(
    await remote.restart({ role: "standby", mode: "immediate", timeoutMs: 1500 }),
  ).toMatchObject({ pid: 4712 });
  await remote.reload();
  expect(await remote.rewind({ sourceHost: "h", sourcePort: 1, dryRun: true })).toEqual(
    control.answers.rewound,
  );
  expect(await remote.stopRestoreCommand()).toEqual({ found: true, killed: true });
  expect(control.calls).toEqual([
    ["initialize", { local: "peer", host: "trust" }],
    ["initialize", { local: undefined, host: undefined }],
    ["start", { role: "primary", recoverFirst: false }],
    ["start", { role: "standby", recoverFirst: true }],
    ["restart", { mode: "immediate", timeoutMs: 1500, role: "standby" }],
    ["reload", undefined],
    [
      "rewind",
      {
        sourceHost: "h",
        sourcePort: 1,
        dryRun: true,
        extraArguments: [],
        applicationName: undefined,
      },
    ],
    ["stopRestoreCommand", undefined],
  ]);
});

test.each(["fast", "immediate", "kill", "not-running"] as const)(
  "tells that a server was stopped by %s",
  async (outcome) => {
    const { control, remote } = await scene();
    control.answers.stopped = outcome;
    expect(await remote.stop({ timeoutMs: 250 })).toBe(outcome);
    expect(control.calls).toEqual([["stop", { mode: "fast", timeoutMs: 250 }]]);
  },
);

const STATUSES: [PostgresStatus, status: string, ready: boolean][] = [
  [{ state: "not-initialized", ...PLACE }, "NOT_INITIALIZED", false],
  [{ state: "stopped", cluster: "shut down", ...PLACE }, "STOPPED", false],
  [{ state: "starting", ...RUNS, ...PLACE }, "STARTING", false],
  [{ state: "stopping", ...RUNS, ...PLACE }, "STOPPING", false],
  [{ state: "running", ready: true, role: "primary", ...RUNS, ...PLACE }, "RUNNING", true],
  [{ state: "running", ready: false, role: "standby", ...RUNS, ...PLACE }, "UNKNOWN", false],
];

test.each(STATUSES)("tells that a server is $state", async (status, name, ready) => {
  const { ServerStatus } = await import("@multipooler/proto/pgctldservice");
  const response = statusResponse(status, NOW);
  expect(response).toMatchObject({
    status: Object.entries(ServerStatus).find(([each]) => each === name)?.[1],
    ready,
    dataDir: "/data",
    port: 5432,
    version: "PostgreSQL 17.10",
  });
  expect(response.uptime).toEqual(
    "pid" in status ? { seconds: 90n, nanos: 500_000_000 } : undefined,
  );
  const { control, remote } = await scene();
  control.answers.status = status;
  const told = await remote.status();
  expect(told).toMatchObject({ state: status.state, ...PLACE });
  expect("ready" in told ? told.ready : false).toBe(ready);
});

test.each(Object.values(PgctldErrorCode))("carries the error %s", async (code) => {
  const { control, remote } = await scene();
  control.failure = new PgctldError(code, "so it is");
  expect(await refusal(remote.reload())).toMatchObject({ code, message: "so it is" });
});

test("gives nothing of an unknown error away, and logs it", async () => {
  const { control, remote, log } = await scene();
  control.failure = new Error("the password is x");
  expect(await refusal(remote.reload())).toMatchObject({
    code: "DAEMON_FAILED",
    message: "the process-control daemon failed: internal error",
  });
  expect(log).toMatchObject([[{ err: { message: "the password is x" } }, /unexpectedly/]]);
});

test("refuses what a call cannot change, naming the field", async () => {
  const { control, remote } = await scene();
  const error = await refusal(remote.stop({ timeoutMs: -1 }));
  expect(error).toMatchObject({
    code: "INVALID_ARGUMENT",
    message: "timeout must not be negative",
  });
  expect((await refusal(remote.restart({ role: "primary" }))).code).toBe("INVALID_ARGUMENT");
  expect(control.calls).toEqual([]);
});

test("cancels a call whose client has gone", async () => {
  const { control, remote } = await scene();
  const { promise, resolve } = Promise.withResolvers<void>();
  control.held = promise;
  const controller = new AbortController();
  const started = refusal(remote.start({}, { signal: controller.signal }));
  await expect.poll(() => control.calls).toHaveLength(1);
  controller.abort(new Error("enough"));
  expect(await started).toMatchObject({ code: "CANCELLED", cause: { message: "enough" } });
  await expect.poll(() => control.signal?.aborted).toBe(true);
  resolve();
});

test("lets a running call end before it closes", async () => {
  const { control, remote, server } = await scene();
  const { promise, resolve } = Promise.withResolvers<void>();
  control.held = promise;
  const started = remote.start();
  await expect.poll(() => control.calls).toHaveLength(1);
  const closed = server.close();
  resolve();
  expect(await started).toMatchObject({ pid: 4711 });
  await closed;
  expect((await refusal(remote.reload())).code).toBe("DAEMON_UNAVAILABLE");
});

test("says that the address is taken", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void other.close());
  await once(other, "listening");
  const address = other.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  const control = new FakeControl({ state: "not-initialized", ...PLACE });
  const logger = { info: () => undefined, warn: () => undefined };
  await using server = new PgctldServer({ control, address: `127.0.0.1:${port}`, logger });
  const error = await refusal(server.listen());
  expect(error.code).toBe("LISTEN_FAILED");
  expect(error.message).toContain(`127.0.0.1:${port}`);
});

test("takes over the socket of a daemon that was killed, and that of none that runs", async () => {
  const socket = join(await temporaryDirectory(), "pgctld.sock");
  const script = `require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;
  await once(spawn(process.execPath, ["-e", script, socket], { stdio: "ignore" }), "close");
  expect((await stat(socket)).isSocket()).toBe(true);
  const control = new FakeControl({ state: "not-initialized", ...PLACE });
  const options = { control, address: `unix:${socket}`, logger: SILENT };
  await using server = new PgctldServer(options);
  await server.listen();
  using remote = new RemotePostgres(options.address);
  expect(await remote.status()).toMatchObject({ state: "not-initialized" });

  const second = new PgctldServer(options);
  expect(await refusal(second.listen())).toMatchObject({ code: PgctldErrorCode.ListenFailed });
  expect(await remote.status()).toMatchObject({ state: "not-initialized" });
});

test("leaves a file that is no socket where it is", async () => {
  const file = join(await temporaryDirectory(), "pgctld.sock");
  await writeFile(file, "kept");
  const control = new FakeControl({ state: "not-initialized", ...PLACE });
  const server = new PgctldServer({ control, address: `unix:${file}`, logger: SILENT });
  expect(await refusal(server.listen())).toMatchObject({ code: PgctldErrorCode.ListenFailed });
  expect(await readFile(file, "utf8")).toBe("kept");
});

test("a daemon is found again at once after calls that it did not answer", async () => {
  const control = new FakeControl({ state: "not-initialized", ...PLACE });
  const address = `unix:${join(await temporaryDirectory(), "pgctld.sock")}`;
  using remote = new RemotePostgres(address);
  expect(await refusal(remote.status())).toMatchObject({ code: PgctldErrorCode.DaemonUnavailable });
  await using server = new PgctldServer({ control, address, logger: SILENT });
  await server.listen();
  expect(await remote.status()).toMatchObject({ state: "not-initialized" });
});
