import { encodeCommandTag, encodeFields } from "@multipooler/query-service";
import type { DescribeRequest, ExecuteRequest } from "@multipooler/query-service";
import { expect, test } from "vitest";
import { dataRow, textFields } from "./data-rows.ts";
import { FakePoolerError } from "./fake-manager.ts";
import { startServer } from "./test-server.ts";

const PREPARED = { name: "stmt0", query: "select $1, $2", paramTypes: [23] };
const PORTAL = {
  name: "p",
  preparedStatementName: "stmt0",
  paramLengths: [1n, -1n],
  paramValues: Buffer.from("7"),
  paramFormats: [0],
  resultFormats: [1],
};
const RESERVATION = { id: 7n, reasons: 4, backendProcessId: 1 };

test("PortalStreamExecute asks for one statement with its parameters", async () => {
  await using pooler = await startServer();
  const seen: ExecuteRequest[] = [];
  pooler.manager.execute = async (request) => {
    seen.push(request);
  };
  const request = {
    preparedStatement: PREPARED,
    portal: PORTAL,
    portalOptions: { includeDescribe: true },
  };
  await Array.fromAsync(pooler.client.portalStreamExecute(request));
  expect(seen).toMatchObject([
    {
      place: { type: "any" },
      statement: {
        type: "prepared",
        sql: "select $1, $2",
        parameterTypes: [23],
        parameters: [Buffer.from("7"), null],
        parameterFormats: [0],
        resultFormats: [1],
        maxRows: 0,
        describe: true,
        portal: undefined,
      },
    },
  ]);
});

test("a row limit leaves the portal open under the client's name, and the rest reserved", async () => {
  await using pooler = await startServer();
  const seen: ExecuteRequest[] = [];
  pooler.manager.execute = async (request, sink) => {
    seen.push(request);
    await sink.write({ type: "rows", bytes: dataRow("1"), rowCount: 1, inProgress: false });
    await sink.write({ type: "suspended", bytes: Buffer.from("7300000004", "hex") });
    return { reservation: RESERVATION };
  };
  const request = { preparedStatement: PREPARED, portal: PORTAL, options: { maxRows: 1n } };
  const [result, state] = await Array.fromAsync(pooler.client.portalStreamExecute(request));
  expect(result?.result?.payload?.value).toMatchObject({ commandTag: "", hasFields: false });
  expect(state).toMatchObject({ result: undefined, reservedState: { reservedConnectionId: 7n } });
  expect(seen).toMatchObject([
    {
      place: { type: "reserve", reasons: 4, pins: ["p"] },
      statement: { maxRows: 1, portal: "p", describe: false },
    },
  ]);
});

test("rows of a statement that was not described have no fields", async () => {
  await using pooler = await startServer();
  pooler.manager.execute = async (_request, sink) => {
    const bytes = dataRow("a", null, "bc");
    await sink.write({ type: "rows", bytes, rowCount: 1, inProgress: false });
    await sink.write({ type: "complete", bytes: encodeCommandTag("SELECT 1") });
  };
  const request = { preparedStatement: PREPARED, portal: PORTAL };
  const messages = await Array.fromAsync(pooler.client.portalStreamExecute(request));
  expect(messages).toMatchObject([
    {
      result: {
        payload: {
          value: {
            fields: [],
            hasFields: false,
            rows: [{ lengths: [1n, -1n, 2n], values: Buffer.from("abc") }],
            commandTag: "SELECT 1",
          },
        },
      },
    },
  ]);
});

test("Describe tells parameters and columns", async () => {
  await using pooler = await startServer();
  const seen: DescribeRequest[] = [];
  pooler.manager.describe = async (request) => {
    seen.push(request);
    return { parameterTypes: [23, 25], fields: textFields("a") };
  };
  const { description } = await pooler.client.describe({ preparedStatement: PREPARED });
  expect(description).toMatchObject({
    parameters: [{ dataTypeOid: 23 }, { dataTypeOid: 25 }],
    fields: [{ name: "a", dataTypeOid: 25 }],
    hasFields: true,
  });
  await pooler.client.describe({
    preparedStatement: PREPARED,
    portal: PORTAL,
    options: { reservedConnectionId: 7n },
  });
  expect(seen).toMatchObject([
    { place: { type: "any" }, statement: { sql: "select $1, $2" }, binding: undefined },
    { place: { type: "reserved", id: 7n }, binding: { parameters: [Buffer.from("7"), null] } },
  ]);
});

test.each([
  [[], true],
  [undefined, false],
])("Describe tells columns %j by has_fields %s", async (fields, hasFields) => {
  await using pooler = await startServer();
  pooler.manager.describe = () => Promise.resolve({ parameterTypes: [], fields });
  const { description } = await pooler.client.describe({ preparedStatement: PREPARED });
  expect(description).toEqual({ parameters: [], fields: [], hasFields });
});

test("a Describe that fails carries PostgreSQL's error", async () => {
  await using pooler = await startServer();
  const diagnostic = { kind: "error", severity: "ERROR", code: "42703", message: "no" } as const;
  pooler.manager.describe = () =>
    Promise.reject(new FakePoolerError("DATABASE_ERROR", "no", diagnostic));
  await expect(pooler.client.describe({ preparedStatement: PREPARED })).rejects.toMatchObject({
    code: "UNKNOWN",
    diagnostic: { code: "42703" },
  });
});

test("what a request lacks is said in Multigres' words", async () => {
  await using pooler = await startServer();
  const { client } = pooler;
  const error = (message: string): object => ({ code: "UNKNOWN", message, rpcError: { code: 2 } });
  const run = (request: Parameters<typeof client.portalStreamExecute>[0]): Promise<unknown> =>
    Array.fromAsync(client.portalStreamExecute(request));
  await expect(run({ portal: PORTAL })).rejects.toMatchObject(
    error("prepared statement is required"),
  );
  await expect(run({ preparedStatement: PREPARED })).rejects.toMatchObject(
    error("portal is required"),
  );
  await expect(client.describe({ portal: PORTAL })).rejects.toMatchObject(
    error("no prepared statement provided"),
  );
});

test("a row limit that Execute cannot carry is refused", async () => {
  await using pooler = await startServer();
  const request = { preparedStatement: PREPARED, portal: PORTAL, options: { maxRows: 2n ** 31n } };
  await expect(Array.fromAsync(pooler.client.portalStreamExecute(request))).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: "options.max_rows is 2147483648; 0 to 2147483647 are allowed",
  });
});

test("fields of a described statement go with its rows", async () => {
  await using pooler = await startServer();
  pooler.manager.execute = async (_request, sink) => {
    await sink.write({ type: "fields", bytes: encodeFields([]) });
    await sink.write({ type: "rows", bytes: dataRow(), rowCount: 1, inProgress: false });
    await sink.write({ type: "complete", bytes: encodeCommandTag("SELECT 1") });
  };
  const request = {
    preparedStatement: PREPARED,
    portal: PORTAL,
    portalOptions: { includeDescribe: true },
  };
  const [message] = await Array.fromAsync(pooler.client.portalStreamExecute(request));
  expect(message?.result?.payload?.value).toMatchObject({ fields: [], hasFields: true });
});
