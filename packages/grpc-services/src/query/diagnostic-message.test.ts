import type { Diagnostic } from "@multipooler/query-service";
import { expect, test } from "vitest";
import { diagnosticMessage } from "./diagnostic-message.ts";

const MINIMAL: Diagnostic = { kind: "error", severity: "ERROR", code: "42601", message: "oops" };

test("every field that the wire has is carried over", () => {
  const diagnostic: Required<Diagnostic> = {
    kind: "notice",
    localizedSeverity: "HINWEIS",
    severity: "WARNING",
    code: "01000",
    message: "message",
    detail: "detail",
    hint: "hint",
    position: 3,
    internalPosition: 4,
    internalQuery: "select 2",
    where: "where",
    schemaName: "schema",
    tableName: "table",
    columnName: "column",
    dataTypeName: "type",
    constraintName: "constraint",
    file: "dropped.c",
    line: "1",
    routine: "dropped",
  };
  const {
    kind: _kind,
    localizedSeverity: _localized,
    file: _file,
    line: _line,
    routine: _routine,
    ...carried
  } = diagnostic;
  expect(diagnosticMessage(diagnostic)).toEqual({ messageType: 78, ...carried });
});

test("what PostgreSQL did not say is empty", () => {
  expect(diagnosticMessage(MINIMAL)).toEqual({
    messageType: 69,
    severity: "ERROR",
    code: "42601",
    message: "oops",
    detail: "",
    hint: "",
    position: 0,
    internalPosition: 0,
    internalQuery: "",
    where: "",
    schemaName: "",
    tableName: "",
    columnName: "",
    dataTypeName: "",
    constraintName: "",
  });
});

test.each([2 ** 31, -1, 1.5, Number.NaN])(
  "a position of %d, which int32 lacks, is none",
  (position) => {
    expect(diagnosticMessage({ ...MINIMAL, position }).position).toBe(0);
  },
);
