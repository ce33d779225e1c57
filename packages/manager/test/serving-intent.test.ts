import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { ServingStatus } from "@multipooler/controller-api";
import { PoolerServingStatus, PoolerType as RecordType } from "@multipooler/topo";
import { expect, test } from "vitest";
import { ManagerError, ManagerErrorCode } from "../src/manager-error.ts";
import { ManagerFixture } from "./manager-fixture.ts";
import { MemoryDatabase } from "./memory-database.ts";
import { temporaryDir } from "./temporary-dir.ts";

const DRAIN = { status: ServingStatus.Drained, reason: "an upgrade" };
const SERVE = { status: ServingStatus.Serving, reason: "" };
const FILE = "serving-intent.json";

async function servingFixture(
  poolerDir?: string,
  database: MemoryDatabase = new MemoryDatabase(),
): Promise<ManagerFixture> {
  const manager = { database, healthIntervalMs: 10 };
  const fixture = new ManagerFixture({
    manager,
    ...(poolerDir === undefined ? {} : { poolerDir }),
  });
  await fixture.open();
  return fixture;
}

test("what an operator asks for is there when it was waited for, and lets the database go", async () => {
  const database = new MemoryDatabase();
  await using fixture = await servingFixture(undefined, database);
  await fixture.untilReady();
  const drained = await fixture.manager.setServingStatus(DRAIN, { wait: true });
  expect(drained).toMatchObject({ ...DRAIN, since: expect.any(Date) });
  expect(fixture.manager.status()).toMatchObject({
    ready: false,
    notReadyReason: "drained by an operator: an upgrade",
    serving: { current: { status: "DRAINED", role: "REPLICA" }, wanted: undefined },
  });
  expect(database.calls.slice(-2)).toEqual(["retire", "letGo"]);
  await fixture.untilRecord((record) => record.servingStatus === PoolerServingStatus.DRAINING);

  const readOnly = { status: ServingStatus.ServingReadOnly, reason: "" };
  await fixture.manager.setServingStatus(readOnly, { wait: true });
  expect(fixture.manager.status()).toMatchObject({
    ready: true,
    serving: { current: { status: "SERVING_RDONLY", reason: "made read-only by an operator" } },
  });
  const stop = { status: ServingStatus.NotServing, reason: "" };
  await fixture.manager.setServingStatus(stop, { wait: true });
  await fixture.untilRecord((record) => record.servingStatus === PoolerServingStatus.NOT_SERVING);
  await fixture.manager.setServingStatus(SERVE, { wait: true });
  const { serving, transitions } = fixture.manager.status();
  expect(serving.current).toMatchObject({ status: "SERVING", role: "PRIMARY" });
  expect(transitions.map(({ to, outcome }) => `${to.status} ${outcome}`)).toEqual([
    "SERVING reached",
    "DRAINED reached",
    "SERVING_RDONLY reached",
    "NOT_SERVING reached",
    "SERVING reached",
  ]);
});

test("nothing new is admitted when the call has returned, and a drain can be taken back", async () => {
  await using fixture = await servingFixture();
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
  const leaving = fixture.manager.setServingStatus(DRAIN, { wait: true });
  expect(fixture.manager.status()).toMatchObject({ ready: false });
  await draining.promise;
  const superseded = expect(leaving).rejects.toMatchObject({ code: "SUPERSEDED" });
  const back = fixture.manager.setServingStatus(SERVE, { wait: true });
  expect(fixture.controller.isServing()).toBe(true);
  await Promise.all([superseded, back]);
  expect(fixture.manager.status()).toMatchObject({ ready: true });
  expect(fixture.controller.calls.filter((call) => call.includes("NOT_SERVING"))).toHaveLength(1);
  expect(fixture.manager.status().transitions.at(-1)).toMatchObject({
    to: { status: "DRAINED" },
    outcome: "reversed",
  });
  drain.resolve();
});

test("a pooler with a directory stays drained over a restart, until it is to serve", async () => {
  await using dir = await temporaryDir();
  const first = await servingFixture(dir.path);
  await first.untilReady();
  expect(await first.manager.setServingStatus(DRAIN)).toMatchObject({
    forgottenBecause: undefined,
  });
  await first[Symbol.asyncDispose]();

  await using second = await servingFixture(dir.path);
  const drained = await second.until(({ serving }) => serving.current.status === "DRAINED");
  expect(drained).toMatchObject({
    ready: false,
    notReadyReason: "drained by an operator: an upgrade",
    intent: { ...DRAIN, forgottenBecause: undefined },
  });
  expect(second.controller.calls).not.toContain("PRIMARY SERVING");
  await second.manager.setServingStatus(SERVE, { wait: true });
  await second.manager.close();
  await second.open();
  await second.untilReady();
});

test("a pooler without a directory says that a restart forgets", async () => {
  await using fixture = await servingFixture();
  const { forgottenBecause } = await fixture.manager.setServingStatus(DRAIN, { wait: true });
  expect(forgottenBecause).toBe("the pooler has no directory of its own (--pooler-dir)");
});

test("a wish that cannot be written holds all the same, and says so", async () => {
  await using dir = await temporaryDir();
  const poolerDir = path.join(dir.path, "pooler");
  await using fixture = await servingFixture(poolerDir);
  await fixture.untilReady();
  await mkdir(path.join(poolerDir, FILE));
  const held = await fixture.manager.setServingStatus(DRAIN, { wait: true });
  expect(held.forgottenBecause).toMatch(/^it could not be written: /);
  expect(fixture.manager.status()).toMatchObject({
    serving: { current: { status: "DRAINED" } },
    intent: { forgottenBecause: held.forgottenBecause },
  });
});

test.each([
  ["is damaged", "{", "is not JSON"],
  [
    "holds nonsense",
    JSON.stringify({ poolerId: "multipooler-zone1-a", status: "ASLEEP" }),
    "does not hold a status, a reason and a time",
  ],
])("a remembered wish that %s ends the start, by name", async (_, text, what) => {
  await using dir = await temporaryDir();
  await writeFile(path.join(dir.path, FILE), text);
  await expect(servingFixture(dir.path)).rejects.toMatchObject({
    code: ManagerErrorCode.RecordFileInvalid,
    message: `${path.join(dir.path, FILE)} ${what}; repair it, or remove it to forget the operator's wish`,
  });
});

test("the file names pooler, status, reason and time", async () => {
  await using dir = await temporaryDir();
  await using fixture = await servingFixture(dir.path);
  const { since } = await fixture.manager.setServingStatus(DRAIN);
  expect(JSON.parse(await readFile(path.join(dir.path, FILE), "utf8"))).toEqual({
    poolerId: "multipooler-zone1-a",
    ...DRAIN,
    since: since?.toISOString(),
  });
});

test("a wish to serve is there when the database is, and the wait for it can be given up", async () => {
  const database = new MemoryDatabase();
  await using fixture = await servingFixture(undefined, database);
  await fixture.untilReady();
  await fixture.manager.setServingStatus(DRAIN, { wait: true });
  const fault = new ManagerError(ManagerErrorCode.DatabaseUnavailable, "it is away");
  database.become({ fault });
  await fixture.until((status) => !status.database.reachable);
  const abort = new AbortController();
  const given = fixture.manager.setServingStatus(SERVE, { wait: true, signal: abort.signal });
  const givenUp = expect(given).rejects.toThrow("no more time");
  abort.abort(new Error("no more time"));
  await givenUp;
  const serving = fixture.manager.setServingStatus(SERVE, { wait: true });
  database.become({ fault: undefined });
  await serving;
  expect(fixture.manager.status().ready).toBe(true);
});

test("what the topology says holds beside it", async () => {
  await using fixture = await servingFixture();
  await fixture.untilReady();
  await fixture.setType(RecordType.REPLICA);
  await fixture.until(({ ready, serving }) => ready && serving.current.role === "REPLICA");
  await fixture.manager.setServingStatus(SERVE, { wait: true });
  expect(fixture.manager.status().serving.current).toMatchObject({
    status: "SERVING_RDONLY",
    role: "REPLICA",
  });
});

test("a reason that is no line, or too long, is refused by its name", async () => {
  await using fixture = await servingFixture();
  await fixture.untilReady();
  for (const reason of ["two\nlines", "x".repeat(1001)]) {
    await expect(
      fixture.manager.setServingStatus({ status: ServingStatus.Drained, reason }),
    ).rejects.toMatchObject({
      code: ManagerErrorCode.InvalidArgument,
      message: `reason: ${reason.length} bytes; it must be one line of at most 1000 bytes, without control characters`,
    });
  }
  expect(fixture.manager.status().ready).toBe(true);
});

test("a manager that is not open takes no wish, and one that closes ends the wait", async () => {
  const database = new MemoryDatabase();
  database.fault = new ManagerError(ManagerErrorCode.DatabaseUnavailable, "it is away");
  await using fixture = await servingFixture(undefined, database);
  const waiting = fixture.manager.setServingStatus(SERVE, { wait: true });
  const ended = expect(waiting).rejects.toMatchObject({ code: "SUPERSEDED" });
  await fixture.manager.close();
  await ended;
  await expect(fixture.manager.setServingStatus(DRAIN)).rejects.toMatchObject({
    code: ManagerErrorCode.NotOpen,
  });
});

test("a database that is gone does not end a pooler that is drained", async () => {
  await using dir = await temporaryDir();
  const first = await servingFixture(dir.path);
  await first.manager.setServingStatus(DRAIN);
  await first[Symbol.asyncDispose]();
  const database = new MemoryDatabase();
  database.fault = new ManagerError(ManagerErrorCode.DatabaseNotFound, "there is no database d");
  await using second = await servingFixture(dir.path, database);
  await second.until(
    (status) => status.database.lastError !== undefined && status.serving.wanted === undefined,
  );
  expect(second.manager.status()).toMatchObject({
    state: { name: "starting" },
    serving: { current: { status: "DRAINED" } },
  });
  database.become({ fault: undefined });
  await second.manager.setServingStatus(SERVE, { wait: true });
});
