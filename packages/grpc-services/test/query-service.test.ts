import {
  encodeFields,
  encodeCommandTag,
  encodeDiagnostic,
  encodeParameterStatus,
} from "@multipooler/query-service";
import type { ExecuteRequest } from "@multipooler/query-service";
import { MultipoolerServiceDefinition } from "@multipooler/proto/multipoolerservice";
import type { StreamExecuteResponse } from "@multipooler/proto/multipoolerservice";
import { expect, test } from "vitest";
import { dataRow, textFields } from "./data-rows.ts";
import { FakePoolerError } from "./fake-manager.ts";
import { RawClient, statusDetails } from "./raw-call.ts";
import { startServer } from "./test-server.ts";

/** An EmptyQueryResponse message. */
const EMPTY_QUERY = Buffer.from("4900000004", "hex");

const SERVICE = "multipoolerservice.MultipoolerService";
const BUILT = new Set([
  "CopyBidiExecute",
  "NotificationStream",
  "ExecuteQuery",
  "StreamExecute",
  "PortalStreamExecute",
  "Describe",
  "GetAuthCredentials",
  "StreamPoolerHealth",
  "ConcludeTransaction",
  "DiscardTempTables",
  "ReleaseReservedConnection",
  "CopyBidiExecute",
  "NotificationStream",
]);
const MIB = 1_048_576;

async function all<Message>(messages: AsyncIterable<Message>): Promise<Message[]> {
  return await Array.fromAsync(messages);
}

/** What arrived, in short: command tags, notices, parameters, and how many rows. */
function summary({ result }: StreamExecuteResponse): string {
  switch (result?.payload?.$case) {
    case "result": {
      const { rows, passthroughRowCount, commandTag, parameterStatus } = result.payload.value;
      const parameters = Object.entries(parameterStatus).map((entry) => entry.join("="));
      return [`${rows.length + passthroughRowCount} rows`, commandTag, ...parameters]
        .join(" ")
        .trim();
    }
    case "diagnostic":
      return `${result.payload.value.severity} ${result.payload.value.message}`;
    case undefined:
    default:
      return "nothing";
  }
}

test("the messages of a query string arrive in the order of PostgreSQL", async () => {
  await using pooler = await startServer();
  const notice = { kind: "notice", severity: "NOTICE", code: "00000", message: "hello" } as const;
  pooler.manager.execute = async (_request, sink) => {
    await sink.write({ type: "fields", bytes: encodeFields(textFields("a")) });
    await sink.write({ type: "rows", bytes: dataRow("1"), rowCount: 1, inProgress: false });
    await sink.write({ type: "notice", bytes: encodeDiagnostic(notice) });
    await sink.write({ type: "rows", bytes: dataRow("2"), rowCount: 1, inProgress: false });
    await sink.write({ type: "complete", bytes: encodeCommandTag("SELECT 2") });
    await sink.write({ type: "complete", bytes: encodeCommandTag("SET") });
    await sink.write({
      type: "parameterStatus",
      bytes: encodeParameterStatus({ name: "TimeZone", value: "UTC" }),
    });
  };
  const expected = [
    "1 rows",
    "NOTICE hello",
    "1 rows SELECT 2",
    "0 rows SET",
    "0 rows  TimeZone=UTC",
  ];
  for (const passthroughRow of [true, false]) {
    const messages = await all(pooler.client.streamExecute({ options: { passthroughRow } }));
    expect(messages.map(summary)).toEqual(expected);
  }
});

test("the controller gets query, target, user and reservation as the client sent them", async () => {
  await using pooler = await startServer();
  const seen: ExecuteRequest[] = [];
  pooler.manager.execute = async (request) => {
    seen.push(request);
  };
  const request = {
    query: "select 'ü'",
    target: {
      shardKey: { database: "db", tableGroup: "default", shard: "0-inf" },
      mode: 2,
    } as const,
    options: { user: "alice", reservedConnectionId: 2n ** 63n },
  };
  await all(pooler.client.streamExecute(request));
  await pooler.client.executeQuery(request);
  const expected = {
    target: { database: "db", tableGroup: "default", shard: "0-inf", mode: "CONSISTENT" },
    caller: {
      user: "alice",
      settings: new Map(),
      origin: expect.stringMatching(/^127\.0\.0\.1:\d+ $/),
    },
    place: { type: "reserved", id: 2n ** 63n },
    statement: { type: "simple", sql: "select 'ü'" },
  };
  expect(seen).toEqual([expected, expected]);
  expect(seen[0]?.caller.origin).toBe(seen[1]?.caller.origin);
});

test("a query string without a statement is an empty stream, and an empty result", async () => {
  await using pooler = await startServer();
  pooler.manager.execute = async (_request, sink) => {
    await sink.write({ type: "empty", bytes: EMPTY_QUERY });
  };
  expect(await all(pooler.client.streamExecute({ query: ";" }))).toEqual([]);
  expect((await pooler.client.executeQuery({ query: ";" })).result).toMatchObject({
    hasFields: false,
    commandTag: "",
  });
});

test("a request of 16 MiB is taken, and one that is a byte larger is refused as too large", async () => {
  await using pooler = await startServer();
  let queryLength = 0;
  pooler.manager.execute = async ({ statement }) => {
    queryLength = statement.type === "simple" ? statement.sql.length : 0;
  };
  const largest = 16 * MIB - 5;
  await pooler.client.executeQuery({ query: "x".repeat(largest) });
  expect(queryLength).toBe(largest);
  using client = new RawClient(pooler.address);
  const { status } = await client.call(`/${SERVICE}/ExecuteQuery`, Buffer.alloc(16 * MIB + 1));
  expect(status.code).toBe(8);
  expect(status.details).toContain("larger than max");
});

test("a message of 16 MiB arrives", async () => {
  await using pooler = await startServer();
  const bytes = Buffer.alloc(16 * MIB - 200, "x");
  pooler.manager.execute = async (_request, sink) => {
    await sink.write({ type: "rows", bytes, rowCount: 1, inProgress: false });
    await sink.write({ type: "complete", bytes: encodeCommandTag("SELECT 1") });
  };
  const options = { passthroughRow: true };
  const [message] = await all(pooler.client.streamExecute({ options }));
  expect(message === undefined ? "" : summary(message)).toBe("1 rows");
});

test("an answer that no message can hold is RESOURCE_EXHAUSTED with SQLSTATE 54000", async () => {
  await using pooler = await startServer({ maxMessageBytes: 10_000 });
  let refusals = 0;
  pooler.manager.execute = async (_request, sink) => {
    try {
      await sink.write({ type: "fields", bytes: encodeFields(textFields("a")) });
      const bytes = dataRow("x".repeat(9_990));
      await sink.write({ type: "rows", bytes, rowCount: 1, inProgress: false });
      await sink.write({ type: "complete", bytes: encodeCommandTag("SELECT 1") });
    } catch (error) {
      refusals += 1;
      throw new FakePoolerError("INTERNAL", "the sink refused", undefined, { cause: error });
    }
  };
  using client = new RawClient(pooler.address);
  for (const method of ["StreamExecute", "ExecuteQuery"]) {
    const { status } = await client.call(`/${SERVICE}/${method}`, new Uint8Array());
    expect(status.code).toBe(8);
    expect(statusDetails(status)?.rpcError).toMatchObject({
      code: 8,
      pgDiagnostic: { severity: "ERROR", code: "54000", message: status.details },
    });
  }
  expect(refusals).toBe(2);
});

test.each(
  Object.values(MultipoolerServiceDefinition.methods).filter(({ name }) => !BUILT.has(name)),
)("$name is not built yet and says so by name", async ({ name, requestStream }) => {
  await using pooler = await startServer();
  using client = new RawClient(pooler.address);
  const path = `${SERVICE}/${name}`;
  const { messages, status } = requestStream
    ? await client.callBidi(`/${path}`, new Uint8Array())
    : await client.call(`/${path}`, new Uint8Array());
  expect(messages).toEqual([]);
  expect(status).toMatchObject({ code: 12, details: `${path} is not implemented` });
});

test("a service that nobody offered does not exist", async () => {
  await using pooler = await startServer();
  using client = new RawClient(pooler.address);
  const { status } = await client.call("/consensus.MultiPoolerConsensus/Status", new Uint8Array());
  expect(status.code).toBe(12);
});

test("a thousand streams run at the same time on one connection", async () => {
  await using pooler = await startServer();
  const everybody = Promise.withResolvers<void>();
  let running = 0;
  pooler.manager.execute = async (_request, sink) => {
    running += 1;
    if (running === 1000) {
      everybody.resolve();
    }
    await everybody.promise;
    await sink.write({ type: "complete", bytes: encodeCommandTag("SELECT 0") });
  };
  const calls = Array.from({ length: 1000 }, () => all(pooler.client.streamExecute({})));
  expect((await Promise.all(calls)).flat()).toHaveLength(1000);
});
