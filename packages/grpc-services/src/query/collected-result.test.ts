import {
  encodeFields,
  encodeCommandTag,
  encodeDiagnostic,
  encodeParameterStatus,
} from "@multipooler/query-service";
import type { Diagnostic, ResultEvent } from "@multipooler/query-service";
import { QueryResult } from "@multipooler/proto/query";
import { expect, test } from "vitest";
import { dataRow, textFields } from "../../test/data-rows.ts";
import { CollectedResult } from "./collected-result.ts";

/** An EmptyQueryResponse message. */
const EMPTY_QUERY = Buffer.from("4900000004", "hex");

function collect(events: readonly ResultEvent[], maxBytes = 1000): QueryResult {
  const collected = new CollectedResult(maxBytes);
  for (const event of events) {
    collected.take(event);
  }
  return collected.result();
}

const fields = (name: string): ResultEvent => ({
  type: "fields",
  bytes: encodeFields(textFields(name)),
});
const rows = (...values: readonly string[]): ResultEvent => ({
  type: "rows",
  bytes: Buffer.concat(values.map((value) => dataRow(value))),
  rowCount: values.length,
  inProgress: false,
});
const complete = (commandTag: string): ResultEvent => ({
  type: "complete",
  bytes: encodeCommandTag(commandTag),
});
const notice = (message: string): ResultEvent => {
  const diagnostic: Diagnostic = { kind: "notice", severity: "NOTICE", code: "00000", message };
  return { type: "notice", bytes: encodeDiagnostic(diagnostic) };
};

test("rows, tag, notices and parameters of a statement are one result", () => {
  const result = collect([
    {
      type: "parameterStatus",
      bytes: encodeParameterStatus({ name: "application_name", value: "x" }),
    },
    fields("a"),
    rows("1"),
    notice("careful"),
    rows("22", "3"),
    complete("FETCH 3"),
    { type: "parameterStatus", bytes: encodeParameterStatus({ name: "TimeZone", value: "UTC" }) },
  ]);
  expect(result.fields.map(({ name }) => name)).toEqual(["a"]);
  expect(result.hasFields).toBe(true);
  expect(result.rows.map((row) => Buffer.from(row.values).toString())).toEqual(["1", "22", "3"]);
  expect(result.commandTag).toBe("FETCH 3");
  expect(result.rowsAffected).toBe(3n);
  expect(result.notices.map(({ message }) => message)).toEqual(["careful"]);
  expect(result.parameterStatus).toEqual({ application_name: "x", TimeZone: "UTC" });
});

test("of several statements only the first one's result is kept, and every parameter", () => {
  const result = collect([
    fields("a"),
    rows("1"),
    complete("SELECT 1"),
    notice("of the second"),
    fields("b"),
    rows("2"),
    complete("SELECT 1"),
    { type: "parameterStatus", bytes: encodeParameterStatus({ name: "TimeZone", value: "UTC" }) },
  ]);
  expect(result.fields.map(({ name }) => name)).toEqual(["a"]);
  expect(result.rows).toHaveLength(1);
  expect(result.notices).toEqual([]);
  expect(result.parameterStatus).toEqual({ TimeZone: "UTC" });
});

test("an empty query string has an empty result", () => {
  expect(collect([{ type: "empty", bytes: EMPTY_QUERY }])).toEqual(QueryResult.fromPartial({}));
});

test("rows beyond the limit are refused, those of a dropped statement do not count", () => {
  const large = rows("x".repeat(90), "x".repeat(90));
  expect(collect([fields("a"), large, complete("SELECT 2")], 202).rows).toHaveLength(2);
  expect(() => collect([fields("a"), large], 201)).toThrow(
    expect.objectContaining({ code: "MESSAGE_TOO_LARGE" }),
  );
  expect(
    collect([complete("BEGIN"), fields("a"), large, large, complete("SELECT 2")], 201).rows,
  ).toEqual([]);
});

test("notices beyond the limit are refused", () => {
  expect(() => collect([notice("x".repeat(100)), notice("x".repeat(100))], 201)).toThrow(
    expect.objectContaining({ code: "MESSAGE_TOO_LARGE" }),
  );
});
