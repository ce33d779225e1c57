import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import { ReservationReason } from "@multipooler/query-service";
import type { ExecuteRequest, Place, ResultEvent } from "@multipooler/query-service";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import {
  MockController,
  commandResult,
  databaseError,
  memoryDatabase,
  textResult,
} from "../src/index.ts";
import type { MockScript } from "../src/index.ts";

// That it keeps the contract is in mock-contract.test.ts; this is its script.

const SERVING: ServingTarget = {
  status: ServingStatus.Serving,
  role: PoolerRole.Primary,
  reason: "a test",
};
const DRAINED: ServingTarget = { ...SERVING, status: ServingStatus.Drained };

const NOTHING_KEPT: Place = { type: "any" };

function request(sql: string, place = NOTHING_KEPT): ExecuteRequest {
  const caller = { user: "", settings: new Map<string, string>(), origin: "" };
  return { caller, place, statement: { type: "simple", sql } };
}

async function serving(script: Partial<MockScript> = {}): Promise<MockController> {
  const controller = new MockController({ script });
  controller.initDBConfig(memoryDatabase());
  await controller.open();
  await controller.setServingType(SERVING);
  return controller;
}

test("each statement is answered as the script says", async () => {
  await using controller = await serving({
    answer: ({ statement: { sql } }) =>
      sql.startsWith("select") ? textResult(["name"], [["Ada"], [null]]) : commandResult(sql),
  });
  const events: ResultEvent[] = [];
  const sink = { write: (event: ResultEvent) => void events.push(event) };
  const executor = controller.getExecutor();
  await executor.streamExecute(request("select name"), sink);
  await executor.streamExecute(request("CREATE TABLE"), sink);
  const types = ["fields", "rows", "rows", "complete", "complete"];
  expect(events.map(({ type }) => type)).toEqual(types);
});

test("an error of the script reaches the caller as it is, an unexpected one as INTERNAL", async () => {
  await using controller = await serving({
    answer: () => {
      throw databaseError("42P01", "there is no such table");
    },
  });
  const sink = { write: () => undefined };
  await expect(controller.getExecutor().streamExecute(request("x"), sink)).rejects.toMatchObject({
    code: "DATABASE_ERROR",
    diagnostic: { code: "42P01" },
  });
  controller.script({ answer: () => Promise.reject(new TypeError("a fault of the test")) });
  await expect(controller.getExecutor().streamExecute(request("x"), sink)).rejects.toMatchObject({
    code: "INTERNAL",
    message: "a fault of the test",
  });
});

test("an open that the script fails leaves the controller initialised, and is repeated", async () => {
  const controller = new MockController({
    script: {
      before: () => {
        throw databaseError("57P03", "the database is starting up");
      },
    },
  });
  controller.initDBConfig(memoryDatabase());
  const failed = { code: "DATABASE_ERROR", diagnostic: { code: "57P03" } };
  await expect(controller.open()).rejects.toMatchObject(failed);
  expect(() => controller.getExecutor()).toThrow(expect.objectContaining({ code: "NOT_OPEN" }));
  controller.script({ before: () => undefined });
  await controller.open();
  await controller.close();
  expect(controller.calls).toEqual(["initDBConfig", "open", "open", "close"]);
});

test("an open that the script holds up ends with its signal", async () => {
  const controller = new MockController({
    script: { before: () => Promise.withResolvers<void>().promise },
  });
  controller.initDBConfig(memoryDatabase());
  const abort = new AbortController();
  const opening = controller.open({ signal: abort.signal });
  abort.abort();
  await expect(opening).rejects.toMatchObject({ code: "CANCELLED" });
  controller.script({ before: () => undefined });
  await controller.open();
  await controller.close();
});

test("a transition that the script fails admits nothing, and can be repeated", async () => {
  await using controller = await serving({
    before: async (step) => {
      if (step === "PRIMARY DRAINED") {
        throw new Error("the disk is full");
      }
    },
  });
  await expect(controller.setServingType(DRAINED)).rejects.toMatchObject({
    code: "INTERNAL",
    message: "the disk is full",
  });
  expect(controller.isServing()).toBe(false);
  controller.script({ before: () => undefined });
  await controller.setServingType(DRAINED);
  expect(controller.servingStatus()).toEqual({ current: DRAINED, wanted: undefined });
});

test("a drain takes as long as the script says", async () => {
  const drained = Promise.withResolvers<void>();
  await using controller = await serving();
  controller.script({ before: () => drained.promise });
  const leaving = controller.setServingType(DRAINED);
  expect(controller.servingStatus()).toEqual({ current: SERVING, wanted: DRAINED });
  expect(controller.isServing()).toBe(false);
  drained.resolve();
  await leaving;
  expect(controller.servingStatus()).toEqual({ current: DRAINED, wanted: undefined });
});

test("health is what the script says", async () => {
  await using controller = await serving({ fault: "POOL_EXHAUSTED" });
  await expect(controller.isHealthy()).rejects.toMatchObject({ code: "POOL_EXHAUSTED" });
  controller.script({ fault: undefined });
  await controller.isHealthy();
});

test("a close that the script fails has closed the controller", async () => {
  const controller = await serving();
  controller.script({ before: () => Promise.reject(new Error("stuck")) });
  await expect(controller.close()).rejects.toMatchObject({ message: "stuck" });
  expect(controller.database).toBeUndefined();
  expect(() => controller.getExecutor()).toThrow(
    expect.objectContaining({ code: "NOT_INITIALIZED" }),
  );
});

test("what runs and what is reserved is counted, until it has ended", async () => {
  const answer = Promise.withResolvers<ResultEvent[]>();
  await using controller = await serving({ answer: () => answer.promise });
  const executor = controller.getExecutor();
  const sink = { write: () => undefined };
  const running = executor.streamExecute(request("select 1"), sink);
  const reserve: Place = { type: "reserve", reasons: ReservationReason.TempTable };
  const reserving = executor.streamExecute(request("select 1", reserve), sink);
  expect(controller.load).toBe(2);
  answer.resolve(commandResult("SELECT 1"));
  await running;
  const { reservation } = await reserving;
  expect(reservation).toMatchObject({ reasons: ReservationReason.TempTable });
  expect(controller.load).toBe(1);
  const { caller } = request("");
  const id = reservation?.id ?? 0n;
  const ended = await executor.discardTempTables({ caller, id }, sink);
  expect(ended).toEqual({ reservation: undefined });
  expect(controller.load).toBe(0);
});

// Runs against dist, as a user of the package would.
test("the snippet of the README prints what it says", async () => {
  const directory = join(import.meta.dirname, "..");
  const readme = await readFile(join(directory, "README.md"), "utf8");
  const [, snippet = ""] = readme.match(/(?<=```ts\n).*?(?=```)/gs) ?? [];
  const promised = /console\.log\(controller\.calls\); \/\/ (.+)/.exec(snippet)?.[1] ?? "";
  const args = ["--input-type=module-typescript", "--eval", snippet];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: directory });
  expect(
    stdout
      .trim()
      .replaceAll("'", '"')
      .replaceAll(/\s*([[\]])\s*/g, "$1"),
  ).toBe(promised);
});
