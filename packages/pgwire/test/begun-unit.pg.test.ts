import { decodeCommandTag } from "@multipooler/query-service";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { BackendConnection } from "../src/connection/backend-connection.ts";
import type { RequestEnd } from "../src/connection/request.ts";
import { BegunUnit } from "../src/requests/begun-unit.ts";
import { ExtendedUnit } from "../src/requests/extended-unit.ts";
import { ask } from "./ask.ts";
import { RecordingSink } from "./recording-sink.ts";

let postgres: TestPostgres;
let connection: BackendConnection;

beforeAll(async () => {
  postgres = await startPostgres();
  connection = await BackendConnection.connect({
    address: { type: "socket", path: postgres.socketPath },
    user: postgres.user,
    database: "postgres",
  });
  await ask(connection, "create table t (x int)", new RecordingSink());
});

afterEach(async () => {
  await ask(connection, "rollback; truncate t", new RecordingSink());
});

afterAll(async () => {
  await connection.close();
  await postgres[Symbol.asyncDispose]();
});

/** Sends one statement behind the one that opens its transaction. */
async function run(
  begin: string,
  sql: string,
): Promise<{ tags: string[]; hasBegun: boolean; end: RequestEnd }> {
  const sink = new RecordingSink();
  const { promise, resolve } = Promise.withResolvers<RequestEnd>();
  const unit = new ExtendedUnit({
    receiver: { event: (event) => sink.write(event), settle: resolve },
    statement: {
      type: "prepared",
      sql,
      parameterTypes: [],
      parameters: [],
      parameterFormats: [],
      resultFormats: [],
      maxRows: 0,
      describe: true,
    },
  });
  const begun = new BegunUnit({ begin, unit });
  connection.send(begun);
  const end = await promise;
  const tags = sink.events.flatMap((event) =>
    event.type === "complete" ? [decodeCommandTag(event.bytes)] : [],
  );
  return { tags, hasBegun: begun.hasBegun, end };
}

test("a unit runs inside of the transaction that was opened before it", async () => {
  expect(await run("begin read only;", "show transaction_read_only")).toMatchObject({
    tags: ["SHOW"],
    hasBegun: true,
    end: { type: "ready", transactionStatus: "T", error: undefined },
  });
});

test.each([
  ["when it is planned", "selec"],
  ["when it is run", "select 1 / 0"],
])("an error of the unit %s leaves a failed transaction", async (_, sql) => {
  expect(await run("begin", sql)).toMatchObject({
    tags: [],
    hasBegun: true,
    end: { type: "ready", transactionStatus: "E", error: { code: "POSTGRES" } },
  });
});

test.each([
  ["cannot be read", "begin nonsense", "42601"],
  ["is refused", "begin isolation level serializable; select 1", "42601"],
  ["fails", "set transaction_isolation = 'nonsense'", "22023"],
])("a unit does not run when the statement before it %s", async (_, begin, code) => {
  expect(await run(begin, "insert into t values (1)")).toMatchObject({
    tags: [],
    hasBegun: false,
    end: { transactionStatus: "I", error: { diagnostic: { code } } },
  });
  const sink = new RecordingSink();
  await ask(connection, "select from t", sink);
  expect(sink.events.filter(({ type }) => type === "rows")).toEqual([]);
});

test("a NUL character is refused before anything is sent", () => {
  const unit = new ExtendedUnit({
    receiver: { event: () => undefined, settle: () => undefined },
    statement: { type: "parse", sql: "select 1", parameterTypes: [] },
  });
  expect(() => new BegunUnit({ begin: "begin\0", unit })).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT" }),
  );
});
