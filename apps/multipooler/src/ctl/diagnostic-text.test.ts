import { expect, test } from "vitest";
import { diagnosticText } from "./diagnostic-text.ts";

const ERROR = {
  messageType: "E".charCodeAt(0),
  severity: "ERROR",
  code: "P0001",
  message: "no\u001B[2J",
  detail: "one\ntwo\u009B2J",
  hint: "\u007F",
  position: 3,
  internalPosition: 0,
  internalQuery: "",
  where: "PL/pgSQL function f()\nSQL statement",
  schemaName: "",
  tableName: "",
  columnName: "",
  dataTypeName: "",
  constraintName: "",
};

test("an error keeps its lines, and none of its text controls the terminal", () => {
  expect(diagnosticText(ERROR)).toBe(
    [
      String.raw`ERROR:  no\x1b[2J (P0001)`,
      "DETAIL:  one",
      String.raw`two\x9b2J`,
      String.raw`HINT:  \x7f`,
      "CONTEXT:  PL/pgSQL function f()",
      "SQL statement",
      "POSITION:  3\n",
    ].join("\n"),
  );
});
