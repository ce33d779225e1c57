import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { BackendConnection } from "../src/connection/backend-connection.ts";
import type { Prelude } from "../src/connection/prelude.ts";
import { ExtendedUnit } from "../src/requests/extended-unit.ts";
import type { RequestEnd } from "../src/connection/request.ts";
import { ask, askRaw, query, queryMessage } from "./ask.ts";
import { message } from "./backend-messages.ts";
import { RecordingSink } from "./recording-sink.ts";

let postgres: TestPostgres;
let connection: BackendConnection;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});
beforeEach(async () => {
  connection = await BackendConnection.connect({
    address: { type: "socket", path: postgres.socketPath },
    user: postgres.user,
    database: "postgres",
  });
});
afterEach(async () => {
  await connection.close();
});

/** Sets one setting, in a transaction of its own. */
function setting(name: string, value: string): Prelude & { doneCount: number } {
  return {
    statements: [`select set_config('${name}', '${value}', false)`, "BEGIN", "COMMIT"],
    reports: new Map([[name, value]]),
    doneCount: 0,
    done() {
      this.doneCount += 1;
    },
  };
}

async function valueOf(name: string): Promise<string> {
  const sink = new RecordingSink();
  await ask(connection, `select current_setting('${name}')`, sink);
  return sink.rows[0]?.[0] ?? "";
}

async function run(sql: string, sink = new RecordingSink()): Promise<RequestEnd> {
  const { request, ended } = query(sql, sink);
  connection.send(request);
  return await ended;
}

const FAULT = setting("work_mem", "nonsense");

test("the statement of a prelude takes effect before the request, which is all that is answered", async () => {
  const prelude = setting("work_mem", "7MB");
  connection.precede(prelude);
  const sink = new RecordingSink();
  const end = await run("select current_setting('work_mem')", sink);
  expect(end).toEqual({
    type: "ready",
    transactionStatus: "I",
    error: undefined,
    settingsReported: false,
  });
  expect(sink.rows).toEqual([["7MB"]]);
  expect(sink.types).toEqual(["fields", "rows", "complete"]);
  expect(prelude.doneCount).toBe(1);
});

test("it goes ahead of one request only", async () => {
  const prelude = setting("work_mem", "7MB");
  connection.precede(prelude);
  await run("select 1");
  await run("reset work_mem");
  expect(await valueOf("work_mem")).not.toBe("7MB");
  expect(prelude.doneCount).toBe(1);
});

test("what was taken back goes ahead of nothing", async () => {
  const prelude = setting("work_mem", "7MB");
  connection.precede(prelude);
  connection.precede(undefined);
  expect(await valueOf("work_mem")).not.toBe("7MB");
  expect(prelude.doneCount).toBe(0);
});

test("a request in the simple protocol is not run after a prelude that failed", async () => {
  await run("create table simple_request(n int)");
  connection.precede(FAULT);
  const end = await run("insert into simple_request values (1)");
  expect(end).toMatchObject({ type: "ready", transactionStatus: "I" });
  expect(end).toMatchObject({ error: { diagnostic: { code: "22023" } } });
  const sink = new RecordingSink();
  await ask(connection, "select count(*) from simple_request", sink);
  expect(sink.rows).toEqual([["0"]]);
});

test("a request in the extended protocol is not run after a prelude that failed", async () => {
  await run("create table extended_request(n int)");
  const { promise, resolve } = Promise.withResolvers<RequestEnd>();
  connection.precede(FAULT);
  connection.send(
    new ExtendedUnit({
      statement: {
        type: "prepared",
        sql: "insert into extended_request values (1)",
        parameterTypes: [],
        parameters: [],
        parameterFormats: [],
        resultFormats: [],
        maxRows: 0,
        describe: true,
      },
      receiver: { event: () => undefined, settle: resolve },
    }),
  );
  expect(await promise).toMatchObject({ error: { diagnostic: { code: "22023" } } });
  const sink = new RecordingSink();
  await ask(connection, "select count(*) from extended_request", sink);
  expect(sink.rows).toEqual([["0"]]);
});

test("requests behind it are answered in their order, whether or not it fails", async () => {
  for (const prelude of [FAULT, setting("work_mem", "7MB")]) {
    connection.precede(prelude);
    const sinks = [new RecordingSink(), new RecordingSink()];
    const [first, second] = await Promise.all([
      run("select 1", sinks[0]),
      run("select 2", sinks[1]),
    ]);
    const hasFailed = prelude === FAULT;
    expect(first.type === "ready" && first.error !== undefined).toBe(hasFailed);
    expect(sinks[0]?.rows).toEqual(hasFailed ? [] : [["1"]]);
    expect(second).toMatchObject({ type: "ready", error: undefined });
    expect(sinks[1]?.rows).toEqual([["2"]]);
  }
});

test("what the request does is not undone with the prelude, nor the prelude with the request", async () => {
  connection.precede(setting("work_mem", "7MB"));
  expect(await run("select 1/0")).toMatchObject({ error: { diagnostic: { code: "22012" } } });
  expect(await valueOf("work_mem")).toBe("7MB");
});

test("a request that cannot run in a transaction runs behind a prelude", async () => {
  await run("create table to_vacuum()");
  connection.precede(setting("work_mem", "7MB"));
  expect(await run("vacuum to_vacuum")).toMatchObject({ type: "ready", error: undefined });
});

test("a transaction that a failed prelude leaves open is rolled back", async () => {
  connection.precede({ ...FAULT, statements: ["BEGIN", "select 1/0", "COMMIT"] });
  expect(await run("select 1")).toMatchObject({
    transactionStatus: "I",
    error: { diagnostic: { code: "22012" } },
  });
  connection.precede({ ...FAULT, statements: ["BEGIN", "select 1/0", "COMMIT"] });
  const { bytes, end } = await askRaw(connection, queryMessage("select 1"));
  expect(end).toMatchObject({ transactionStatus: "I" });
  expect(String.fromCharCode(bytes[0] ?? 0)).toBe("E");
  expect(bytes.subarray(-6)).toEqual(message("Z", Buffer.from("I")));
});

test("a report of what the prelude sets is no part of the answer, another one is", async () => {
  connection.precede(setting("application_name", "one"));
  const { bytes, end } = await askRaw(connection, queryMessage("select 1"));
  expect(end).toMatchObject({ settingsReported: false });
  expect(bytes.includes("application_name")).toBe(false);
  expect(bytes.subarray(-6)).toEqual(message("Z", Buffer.from("I")));
  expect(connection.parameters.get("application_name")).toBe("one");

  connection.precede(setting("application_name", "two"));
  const other = await askRaw(connection, queryMessage("set application_name = 'three'"));
  expect(other.end).toMatchObject({ settingsReported: true });
  expect(other.bytes.includes("three")).toBe(true);

  connection.precede(setting("application_name", "four"));
  expect(await run("set timezone = 'Asia/Tokyo'")).toMatchObject({ settingsReported: true });
});

test("spans of a request that was not run hold the error alone", async () => {
  connection.precede(FAULT);
  const { bytes, end } = await askRaw(connection, queryMessage("select 1"));
  expect(end).toMatchObject({ type: "ready", error: { diagnostic: { code: "22023" } } });
  expect(String.fromCharCode(bytes[0] ?? 0)).toBe("E");
  expect(bytes.subarray(-6)).toEqual(message("Z", Buffer.from("I")));
});

test("a request that is withdrawn takes its prelude with it", async () => {
  const prelude = setting("work_mem", "7MB");
  connection.precede(prelude);
  const { request } = query("select 1", new RecordingSink());
  connection.send(request);
  expect(connection.withdraw(request)).toBe(true);
  expect(await valueOf("work_mem")).not.toBe("7MB");
  expect(prelude.doneCount).toBe(0);
});

test("a statement that is cancelled in the prelude does not run the request", async () => {
  const { request, ended } = query("select 'ran'", new RecordingSink());
  connection.precede({
    statements: ["select pg_sleep(60)"],
    reports: new Map(),
    done: () => undefined,
  });
  connection.send(request);
  await postgres.sql("select pg_sleep(0.05)");
  await connection.cancel(request);
  expect(await ended).toMatchObject({ error: { diagnostic: { code: "57014" } } });
});
