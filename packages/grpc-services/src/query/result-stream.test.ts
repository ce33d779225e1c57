import {
  encodeCommandTag,
  encodeDiagnostic,
  encodeFields,
  encodeParameterStatus,
} from "@multipooler/query-service";
import type { Diagnostic, ResultEvent } from "@multipooler/query-service";
import { StreamExecuteResponse } from "@multipooler/proto/multipoolerservice";
import { QueryResult } from "@multipooler/proto/query";
import { expect, test } from "vitest";
import { dataRow, textFields } from "../../test/data-rows.ts";
import { diagnosticMessage } from "./diagnostic-message.ts";
import { encodeResultMessage } from "./result-message.ts";
import { KnownFields } from "./known-fields.ts";
import { ResultStream } from "./result-stream.ts";
import { PassthroughBatcher, StructuredBatcher } from "./row-batch.ts";
import type { RowBatcher } from "./row-batch.ts";
import { RowDecoder } from "./row-decoder.ts";

/** An EmptyQueryResponse message. */
const EMPTY_QUERY = Buffer.from("4900000004", "hex");

const LIMIT = 100;
const passthrough = (): RowBatcher => new PassthroughBatcher(LIMIT);
const structured = (): RowBatcher => new StructuredBatcher(LIMIT, new RowDecoder(1000));

/** The messages for `events`, as a client decodes them, without what is at its default. */
function messages(batcher: RowBatcher, events: readonly ResultEvent[]): unknown[] {
  const found: unknown[] = [];
  const sink = {
    write(message: Parameters<typeof encodeResultMessage>[0]): undefined {
      const bytes = new Uint8Array(Buffer.concat([encodeResultMessage(message)].flat()));
      found.push(StreamExecuteResponse.decode(bytes).result?.payload);
    },
  };
  const stream = new ResultStream({ sink, batcher, known: new KnownFields() });
  for (const event of events) {
    expect(stream.take(event)).toBeUndefined();
  }
  expect(stream.end(undefined)).toBeUndefined();
  return found;
}

const result = (values: Parameters<typeof QueryResult.fromPartial>[0]): unknown => ({
  $case: "result",
  value: QueryResult.decode(QueryResult.encode(QueryResult.fromPartial(values)).finish()),
});

const fields = (...names: readonly string[]): ResultEvent => ({
  type: "fields",
  bytes: encodeFields(textFields(...names)),
});
const rows = (...frames: readonly Buffer[]): ResultEvent => ({
  type: "rows",
  bytes: Buffer.concat(frames),
  rowCount: frames.length,
  inProgress: false,
});
const complete = (commandTag: string): ResultEvent => ({
  type: "complete",
  bytes: encodeCommandTag(commandTag),
});
const NOTICE: Diagnostic = { kind: "notice", severity: "NOTICE", code: "00000", message: "hello" };

const wireFields = (...names: readonly string[]): object[] =>
  names.map((name) => ({
    name,
    type: "text",
    dataTypeOid: 25,
    dataTypeSize: -1,
    typeModifier: -1,
  }));

test("a small SELECT is one message: fields, row and tag", () => {
  const row = dataRow("1");
  const events = [fields("a"), rows(row), complete("SELECT 1")];
  const common = { fields: wireFields("a"), hasFields: true, commandTag: "SELECT 1" };
  expect(messages(passthrough(), events)).toEqual([
    result({ ...common, passthroughBlock: row, passthroughRowCount: 1 }),
  ]);
  expect(messages(structured(), events)).toEqual([
    result({ ...common, rows: [{ lengths: [1n], values: Buffer.from("1") }] }),
  ]);
});

test.each([
  ["passthrough", passthrough],
  ["structured", structured],
])("an empty result is one message with fields and tag (%s)", (_mode, batcher) => {
  expect(messages(batcher(), [fields("a", "b"), complete("SELECT 0")])).toEqual([
    result({ fields: wireFields("a", "b"), hasFields: true, commandTag: "SELECT 0" }),
  ]);
});

test("a result without columns has fields, none of them", () => {
  const events = [fields(), rows(dataRow(), dataRow()), complete("SELECT 2")];
  const common = { hasFields: true, commandTag: "SELECT 2" };
  expect(messages(passthrough(), events)).toEqual([
    result({
      ...common,
      passthroughBlock: Buffer.concat([dataRow(), dataRow()]),
      passthroughRowCount: 2,
    }),
  ]);
  expect(messages(structured(), events)).toEqual([result({ ...common, rows: [{}, {}] })]);
});

test("a statement that returns no rows is one message with its tag and the rows it changed", () => {
  expect(messages(passthrough(), [complete("UPDATE 3")])).toEqual([
    result({ commandTag: "UPDATE 3", rowsAffected: 3n }),
  ]);
});

test("an empty query string is no message", () => {
  expect(messages(passthrough(), [{ type: "empty", bytes: EMPTY_QUERY }])).toEqual([]);
});

test("each statement of a string has its own result, and fields are forgotten between them", () => {
  const events = [
    fields("a"),
    complete("SELECT 0"),
    complete("BEGIN"),
    fields(),
    complete("SELECT 0"),
  ];
  expect(messages(structured(), events)).toEqual([
    result({ fields: wireFields("a"), hasFields: true, commandTag: "SELECT 0" }),
    result({ commandTag: "BEGIN" }),
    result({ hasFields: true, commandTag: "SELECT 0" }),
  ]);
});

test("a notice is a message of its own, and comes after the rows that came before it", () => {
  const row = dataRow("1");
  const events: ResultEvent[] = [
    fields("a"),
    { type: "notice", bytes: encodeDiagnostic(NOTICE) },
    rows(row),
    { type: "notice", bytes: encodeDiagnostic(NOTICE) },
    complete("SELECT 1"),
  ];
  const diagnostic = { $case: "diagnostic", value: diagnosticMessage(NOTICE) };
  const common = { fields: wireFields("a"), hasFields: true };
  expect(messages(passthrough(), events)).toEqual([
    diagnostic,
    result({ ...common, passthroughBlock: row, passthroughRowCount: 1 }),
    diagnostic,
    result({ ...common, commandTag: "SELECT 1" }),
  ]);
});

test("a changed parameter is a result with nothing else, after the rows that came before it", () => {
  const row = dataRow("1");
  const events: ResultEvent[] = [
    fields("a"),
    rows(row),
    { type: "parameterStatus", bytes: encodeParameterStatus({ name: "TimeZone", value: "UTC" }) },
  ];
  expect(messages(structured(), events)).toEqual([
    result({
      fields: wireFields("a"),
      hasFields: true,
      rows: [{ lengths: [1n], values: Buffer.from("1") }],
    }),
    result({ parameterStatus: { TimeZone: "UTC" } }),
  ]);
});

test("every batch of a large result repeats the fields; the last one has the tag", () => {
  const row = dataRow("x".repeat(50));
  const events = [fields("a"), rows(row), rows(row), rows(row), complete("SELECT 3")];
  const common = { fields: wireFields("a"), hasFields: true };
  const block = { passthroughBlock: row, passthroughRowCount: 1 };
  expect(messages(passthrough(), events)).toEqual([
    result({ ...common, ...block }),
    result({ ...common, ...block }),
    result({ ...common, ...block, commandTag: "SELECT 3" }),
  ]);
});

test("the pieces of a large row come alone; the last of them counts the row", () => {
  const small = dataRow("1");
  const large = dataRow("x".repeat(240));
  const piece = (from: number, to: number, inProgress: boolean): ResultEvent => ({
    type: "rows",
    bytes: large.subarray(from, to),
    rowCount: inProgress ? 0 : 1,
    inProgress,
  });
  const events = [
    fields("a"),
    rows(small),
    piece(0, 100, true),
    piece(100, 200, true),
    piece(200, 251, false),
    rows(small),
    complete("SELECT 3"),
  ];
  const common = { fields: wireFields("a"), hasFields: true };
  const inProgress = { ...common, passthroughRowInProgress: true };
  expect(messages(passthrough(), events)).toEqual([
    result({ ...common, passthroughBlock: small, passthroughRowCount: 1 }),
    result({ ...inProgress, passthroughBlock: large.subarray(0, 100) }),
    result({ ...inProgress, passthroughBlock: large.subarray(100, 200) }),
    result({ ...common, passthroughBlock: large.subarray(200), passthroughRowCount: 1 }),
    result({ ...common, passthroughBlock: small, passthroughRowCount: 1, commandTag: "SELECT 3" }),
  ]);
});

test("rows that are pending when the stream is cut short are sent without a tag", () => {
  const row = dataRow("1");
  expect(messages(passthrough(), [fields("a"), rows(row)])).toEqual([
    result({
      fields: wireFields("a"),
      hasFields: true,
      passthroughBlock: row,
      passthroughRowCount: 1,
    }),
  ]);
});

test("the beginning of a row that will not be completed is left out when the stream is cut short", () => {
  const small = dataRow("1");
  const beginning = dataRow("x".repeat(240)).subarray(0, 60);
  const events: ResultEvent[] = [
    fields("a"),
    rows(small),
    { type: "rows", bytes: beginning, rowCount: 0, inProgress: true },
  ];
  expect(messages(passthrough(), events)).toEqual([
    result({
      fields: wireFields("a"),
      hasFields: true,
      passthroughBlock: small,
      passthroughRowCount: 1,
    }),
  ]);
});

test("a promise of the sink reaches the controller, also for what was sent before a notice", async () => {
  const behind = Promise.resolve();
  const answers = [behind, undefined];
  const sink = { write: (): Promise<void> | undefined => answers.shift() };
  const stream = new ResultStream({ sink, batcher: passthrough(), known: new KnownFields() });
  expect(stream.take(fields("a"))).toBeUndefined();
  expect(stream.take(rows(dataRow("1")))).toBeUndefined();
  expect(stream.take({ type: "notice", bytes: encodeDiagnostic(NOTICE) })).toBe(behind);
  await behind;
});
