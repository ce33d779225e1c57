import { PoolerServingStatus, PoolerType as RecordType } from "@multipooler/topo";
import { PoolerErrorCode } from "@multipooler/query-service";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { ManagerError, ManagerErrorCode } from "../src/manager-error.ts";
import type { ManagerStatus } from "../src/manager-status.ts";
import { ManagerFixture } from "./manager-fixture.ts";
import { MemoryDatabase } from "./memory-database.ts";

const REFUSED = new ManagerError(ManagerErrorCode.DatabaseUnavailable, "the database is away");
const LEAVING = new ManagerError(ManagerErrorCode.DatabaseLeaving, "the database goes away");

const isDrained = ({ serving }: ManagerStatus): boolean =>
  serving.current.status === "DRAINED" && serving.wanted === undefined;

function fixtureOver(database: MemoryDatabase): ManagerFixture {
  return new ManagerFixture({ manager: { database, healthIntervalMs: 10 } });
}

/** Runs a query as a transport does, and returns the events' bytes as text. */
async function query({ manager }: ManagerFixture, sql: string): Promise<string> {
  const parts: Buffer[] = [];
  await manager
    .queryServiceControl()
    .getExecutor()
    .streamExecute(
      {
        caller: { user: "", settings: new Map(), origin: "test" },
        place: { type: "any" },
        statement: { type: "simple", sql },
      },
      {
        write: ({ bytes }) => {
          parts.push(Buffer.from(bytes));
          return undefined;
        },
      },
    );
  return Buffer.concat(parts).toString();
}

test("a database and a controller in memory are opened, serve, go down, come back and are closed", async () => {
  const database = new MemoryDatabase();
  await using fixture = fixtureOver(database);
  await fixture.open();
  const ready = await fixture.untilReady();
  expect(ready.database).toMatchObject({ reachable: true, serverVersion: "memory" });
  expect(ready.serving.current).toMatchObject({ role: "PRIMARY", status: "SERVING" });
  expect(await query(fixture, "select 1")).toContain("select 1");

  database.become({ fault: REFUSED });
  const down = await fixture.until(({ ready: isReady }) => !isReady);
  expect(down.notReadyReason).toBe("the database is away");
  await fixture.until(({ serving }) => serving.current.status === "NOT_SERVING");
  await expect(query(fixture, "select 2")).rejects.toMatchObject({
    code: PoolerErrorCode.NotServing,
    message: "the mock is NOT_SERVING (the database is away)",
  });

  database.become({ fault: undefined });
  await fixture.untilReady();
  expect(await query(fixture, "select 3")).toContain("select 3");

  await fixture.manager.close();
  expect(database.calls).toEqual([
    // The first status is reached before anything was attached.
    "retire",
    "letGo",
    "serve PRIMARY",
    "retire",
    "letGo",
    "serve PRIMARY",
    "retire",
    "letGo",
    "close",
  ]);
  expect(fixture.controller.calls).toEqual([
    "register",
    "REPLICA NOT_SERVING",
    "initDBConfig",
    "open",
    "PRIMARY SERVING",
    "REPLICA NOT_SERVING",
    // The handle of the server that was let go is not used again.
    "close",
    "initDBConfig",
    "open",
    "PRIMARY SERVING",
    "REPLICA NOT_SERVING",
    "close",
  ]);
  expect(fixture.transport.calls).toEqual(["listen", "close"]);
});

test("a running query is drained before the database is let go", async () => {
  const database = new MemoryDatabase();
  await using fixture = fixtureOver(database);
  await fixture.open();
  await fixture.untilReady();
  const drain = Promise.withResolvers<void>();
  const draining = Promise.withResolvers<void>();
  fixture.controller.script({
    before: (call) => {
      if (call !== "REPLICA DRAINED") {
        return undefined;
      }
      draining.resolve();
      return drain.promise;
    },
  });
  database.become({ fault: LEAVING });
  await draining.promise;
  expect(fixture.manager.status()).toMatchObject({
    ready: false,
    notReadyReason: "the database goes away",
  });
  await fixture.untilRecord((record) => record.servingStatus === PoolerServingStatus.DRAINING);
  expect(database.calls.at(-1)).toBe("serve PRIMARY");
  drain.resolve();
  await fixture.until(isDrained);
  expect(database.calls.slice(-2)).toEqual(["retire", "letGo"]);
});

test("a change of role keeps the server, and with it the controller's sessions", async () => {
  const database = new MemoryDatabase();
  await using fixture = fixtureOver(database);
  await fixture.open();
  await fixture.untilReady();
  await fixture.setType(RecordType.REPLICA);
  await fixture.until(({ ready, serving }) => ready && serving.current.role === "REPLICA");
  expect(database.calls.slice(-3)).toEqual(["serve PRIMARY", "retire", "serve REPLICA"]);
  expect(fixture.controller.calls).not.toContain("close");
});

test("DRAINED in the topology is held, also while the database is away, until told otherwise", async () => {
  const database = new MemoryDatabase();
  await using fixture = fixtureOver(database);
  await fixture.open();
  await fixture.untilReady();
  // oxlint-disable-next-line typescript/no-deprecated -- An older Multigres may have written it.
  await fixture.setType(RecordType.DRAINED);
  const drained = await fixture.until(isDrained);
  expect(drained.notReadyReason).toBe("the topology says DRAINED");
  expect(database.calls.slice(-2)).toEqual(["retire", "letGo"]);

  const { length } = fixture.controller.calls;
  database.become({ fault: REFUSED });
  await fixture.until((status) => !status.database.reachable);
  database.become({ fault: undefined });
  await fixture.until((status) => status.database.reachable);
  expect(fixture.manager.status().serving.current.status).toBe("DRAINED");
  expect(fixture.controller.calls.slice(length)).toEqual([]);

  await fixture.setType(RecordType.PRIMARY);
  await fixture.untilReady();
});

test("a query path that is broken makes the pooler not ready, with the reason, and it serves on", async () => {
  const database = new MemoryDatabase();
  await using fixture = fixtureOver(database);
  await fixture.open();
  await fixture.untilReady();
  fixture.controller.script({ fault: PoolerErrorCode.PreExecutionUnavailable });
  const broken = await fixture.until(({ ready }) => !ready);
  expect(broken).toMatchObject({
    notReadyCode: "QUERY_PATH_BROKEN",
    notReadyReason: "queries do not get through: the script says so",
    database: { reachable: true },
    serving: { current: { status: "SERVING" } },
  });
  expect(await query(fixture, "select 1")).toContain("select 1");
  fixture.controller.script({ fault: undefined });
  await fixture.untilReady();
  expect(fixture.controller.calls).not.toContain("close");
});

test("a database that refuses new connections makes the pooler not ready, and it serves on", async () => {
  const database = new MemoryDatabase();
  await using fixture = fixtureOver(database);
  await fixture.open();
  await fixture.untilReady();
  const refusal = new ManagerError(ManagerErrorCode.AuthenticationFailed, "the password is wrong");
  database.become({ refusal });
  const refused = await fixture.until(({ ready }) => !ready);
  expect(refused).toMatchObject({
    notReadyCode: "LOGIN_REFUSED",
    notReadyReason: "new connections are refused: the password is wrong",
    serving: { current: { status: "SERVING" } },
  });
  database.become({ refusal: undefined });
  await fixture.untilReady();
});

test("a primary that does not complete writes is not ready, and serves on", async () => {
  const database = new MemoryDatabase();
  await using fixture = fixtureOver(database);
  await fixture.open();
  await fixture.untilReady();
  database.become({ writeFault: "commits wait" });
  const waiting = await fixture.until(({ ready }) => !ready);
  expect(waiting).toMatchObject({
    notReadyCode: "COMMITS_WAIT",
    notReadyReason: "commits wait",
    serving: { current: { status: "SERVING" } },
  });
  database.become({ writeFault: undefined });
  await fixture.untilReady();
});

test("a drain that is cut leaves no health check and no timer behind", async () => {
  const database = new MemoryDatabase();
  const clock = new ManualClock();
  await using fixture = new ManagerFixture({ manager: { database, clock } });
  await fixture.open();
  await fixture.untilReady();
  fixture.controller.script({
    before: (call) => {
      if (call === "REPLICA NOT_SERVING") {
        throw new Error("cut");
      }
    },
  });
  await fixture.manager.close();
  expect(fixture.logger.messages("warn")).toContain("draining: cut");
  await fixture.topology.close();
  expect(clock.pending).toBe(0);
});
