import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { PoolerServingStatus } from "@multipooler/topo";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ManagerErrorCode } from "../src/manager-error.ts";
import { FakeTransport } from "./fake-transport.ts";
import { ManagerFixture } from "./manager-fixture.ts";
import { PATIENCE } from "./patience.ts";
import { configFor, managerConnections } from "./server.ts";

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

const never = new Promise<never>(() => undefined);
const untilAborted = (signal: AbortSignal | undefined): Promise<void> =>
  new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(new Error("cut")));
  });

test("close goes in the reverse order, leaves no connection, and the status says so throughout", async () => {
  await using db = await postgres.createDatabase();
  await using fixture = new ManagerFixture({ database: configFor(postgres, db.name) });
  await fixture.open();
  await fixture.untilReady();
  expect(await managerConnections(postgres, db.name)).not.toBe(0);
  const order: string[] = [];
  fixture.controller.script({
    before: (call) => {
      order.push(call);
    },
  });
  fixture.transport.onClose = () => {
    order.push("transport");
  };

  const closing = fixture.manager.close();
  expect(fixture.manager.status()).toMatchObject({
    ready: false,
    notReadyReason: "shutting down",
    state: { name: "ready" },
  });
  await closing;
  expect(order).toEqual(["REPLICA NOT_SERVING", "transport", "close"]);
  expect(await managerConnections(postgres, db.name)).toBe(0);
  expect(fixture.manager.status()).toMatchObject({
    ready: false,
    notReadyReason: "the manager is not open",
    state: { name: "starting" },
    heartbeat: { mode: "off" },
    database: { connectionsUsed: 0, connectionsLimit: 0 },
  });
});

test("a second close waits for the first, and a third does nothing", async () => {
  await using fixture = new ManagerFixture({ database: configFor(postgres) });
  await fixture.open();
  await fixture.untilReady();
  await Promise.all([fixture.manager.close(), fixture.manager.close()]);
  await fixture.manager.close();
  expect(fixture.transport.calls).toEqual(["listen", "close"]);
  expect(fixture.controller.calls.filter((call) => call === "close")).toHaveLength(1);
});

test("a manager that was closed opens again and serves as before", async () => {
  await using fixture = new ManagerFixture({ database: configFor(postgres) });
  for (let round = 0; round < 2; round += 1) {
    await fixture.open();
    expect((await fixture.untilReady()).serving.current.role).toBe("PRIMARY");
    await fixture.manager.close();
  }
  expect(fixture.controller.calls.filter((call) => call === "register")).toHaveLength(1);
  expect(fixture.controller.calls.filter((call) => call === "initDBConfig")).toHaveLength(2);
});

test("open is refused while the manager is open", async () => {
  await using fixture = new ManagerFixture({ database: configFor(postgres) });
  await fixture.open();
  await expect(fixture.open()).rejects.toMatchObject({ code: ManagerErrorCode.AlreadyOpen });
  await fixture.untilReady();
});

test("when one transport cannot listen, open rejects and closes those that do", async () => {
  await using fixture = new ManagerFixture({ database: configFor(postgres) });
  await fixture.prepareTopology();
  const busy = new FakeTransport();
  busy.onListen = () => {
    throw new Error("cannot listen on 127.0.0.1:15432: the port is in use");
  };
  const transports = [fixture.transport, busy];
  await expect(fixture.manager.open({ transports })).rejects.toMatchObject({
    code: ManagerErrorCode.ListenFailed,
    message: "cannot listen on 127.0.0.1:15432: the port is in use",
  });
  expect(fixture.transport.calls).toEqual(["listen", "close"]);
  expect(fixture.transport.listening).toBe(false);

  busy.onListen = () => undefined;
  await fixture.manager.open({ transports });
  await fixture.untilReady();
  // The first attempt left no record behind; this one does.
  await fixture.untilRecord(({ servingStatus }) => servingStatus === PoolerServingStatus.SERVING);
});

test("close during open ends the open, and nothing is left", async () => {
  await using fixture = new ManagerFixture({ database: configFor(postgres) });
  fixture.transport.onListen = () => never;
  const opening = fixture.open().catch((error: unknown) => error);
  await expect.poll(() => fixture.transport.calls, PATIENCE).toEqual(["listen"]);
  await fixture.manager.close();
  expect(await opening).toMatchObject({ code: ManagerErrorCode.Cancelled });
  expect(fixture.transport.calls).toEqual(["listen", "close"]);
  fixture.transport.onListen = () => undefined;
  await fixture.open();
  await fixture.untilReady();
});

test("an abort of the signal ends the open, and after the open it means nothing", async () => {
  await using fixture = new ManagerFixture({ database: configFor(postgres) });
  await fixture.prepareTopology();
  const transports = [fixture.transport];
  const abort = new AbortController();
  fixture.transport.onListen = () => abort.abort(new Error("enough"));
  await expect(fixture.manager.open({ transports, signal: abort.signal })).rejects.toMatchObject({
    code: ManagerErrorCode.Cancelled,
    cause: new Error("enough"),
  });
  expect(fixture.transport.calls).toEqual(["listen", "close"]);

  const late = new AbortController();
  fixture.transport.onListen = () => undefined;
  await fixture.manager.open({ transports, signal: late.signal });
  late.abort();
  await fixture.untilReady();
});

test("a close right after open, while the start runs, leaves nothing", async () => {
  await using db = await postgres.createDatabase();
  await using fixture = new ManagerFixture({ database: configFor(postgres, db.name) });
  for (let round = 0; round < 10; round += 1) {
    await fixture.open();
    for (let turn = 0; turn < round; turn += 1) {
      await new Promise(setImmediate);
    }
    await fixture.manager.close();
    expect(await managerConnections(postgres, db.name)).toBe(0);
    expect(fixture.controller.isServing()).toBe(false);
  }
});

test("a close in the middle of the first transition ends it, and nobody is told of a start", async () => {
  await using fixture = new ManagerFixture({ database: configFor(postgres) });
  const reached = Promise.withResolvers<void>();
  fixture.controller.script({
    before: (call, signal) => {
      if (call !== "open") {
        return undefined;
      }
      reached.resolve();
      return untilAborted(signal);
    },
  });
  await fixture.open();
  await reached.promise;
  await fixture.manager.close();
  expect(fixture.logger.messages("info")).not.toContain("the manager is ready");
  expect(fixture.controller.calls.slice(-3)).toEqual(["open", "REPLICA NOT_SERVING", "close"]);
});

test("a drain that does not end is cut when its time is over, and the rest is closed", async () => {
  await using db = await postgres.createDatabase();
  await using fixture = new ManagerFixture({
    database: configFor(postgres, db.name),
    manager: { closeTimeoutMs: 50 },
  });
  await fixture.open();
  await fixture.untilReady();
  fixture.controller.script({
    before: (call, signal) => (call === "REPLICA NOT_SERVING" ? untilAborted(signal) : undefined),
  });
  await fixture.manager.close();
  expect(fixture.logger.messages("warn")).toContain("draining: the deadline of the call passed");
  expect(fixture.controller.calls.at(-1)).toBe("close");
  expect(await managerConnections(postgres, db.name)).toBe(0);
});

test("the signal of close ends a drain at once", async () => {
  await using fixture = new ManagerFixture({
    database: configFor(postgres),
    manager: { closeTimeoutMs: 3_600_000 },
  });
  await fixture.open();
  await fixture.untilReady();
  const abort = new AbortController();
  fixture.controller.script({
    before: (call, signal) => {
      if (call !== "REPLICA NOT_SERVING") {
        return undefined;
      }
      abort.abort();
      return signal?.aborted === true ? undefined : untilAborted(signal);
    },
  });
  await fixture.manager.close({ signal: abort.signal });
  expect(fixture.transport.listening).toBe(false);
});

test("what cannot be closed is reported, and keeps nothing else from being closed", async () => {
  await using db = await postgres.createDatabase();
  await using fixture = new ManagerFixture({ database: configFor(postgres, db.name) });
  await fixture.open();
  await fixture.untilReady();
  fixture.transport.onClose = () => {
    throw new Error("stuck");
  };
  fixture.controller.script({
    before: (call) => {
      if (call === "close") {
        throw new Error("stuck too");
      }
    },
  });
  await expect(fixture.manager.close()).rejects.toMatchObject({
    code: ManagerErrorCode.CloseFailed,
    message:
      "cannot close everything: closing the transports: stuck; closing the controller: stuck too",
  });
  expect(await managerConnections(postgres, db.name)).toBe(0);
  fixture.transport.onClose = () => undefined;
  fixture.controller.script({ before: () => undefined });
});

test("with an unreachable topology it closes, and says that the last record is not written", async () => {
  await using fixture = new ManagerFixture({ database: configFor(postgres) });
  await fixture.open();
  await fixture.untilReady();
  fixture.servers.setReachable(false);
  await fixture.manager.close();
  expect(fixture.logger.messages("warn")).toContainEqual(
    expect.stringMatching(/^writing the last record: /),
  );
  fixture.servers.setReachable(true);
});

test("a listener of the status that throws disturbs nobody", async () => {
  await using fixture = new ManagerFixture({ database: configFor(postgres) });
  fixture.manager.watchStatus(() => {
    throw new Error("clumsy");
  });
  await fixture.open();
  await fixture.untilReady();
  expect(fixture.logger.messages("error")).toContain("a listener of the status failed");
});

test("a listener that stopped watching is not called any more", async () => {
  await using fixture = new ManagerFixture({ database: configFor(postgres) });
  const seen: boolean[] = [];
  const unwatch = fixture.manager.watchStatus(({ ready }) => seen.push(ready));
  unwatch();
  await fixture.open();
  await fixture.untilReady();
  expect(seen).toEqual([]);
});
