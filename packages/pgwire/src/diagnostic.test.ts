import fc from "fast-check";
import { expect, test } from "vitest";
import { diagnostic as encode } from "../test/backend-messages.ts";
import { parseDiagnostic } from "./diagnostic.ts";
import { PgwireError } from "./error.ts";

function parse(fields: Readonly<Record<string, string>>): ReturnType<typeof parseDiagnostic> {
  return parseDiagnostic("error", encode("E", fields).subarray(5));
}

test("every field has its place", () => {
  const fields = {
    S: "FEHLER",
    V: "ERROR",
    C: "23505",
    M: "message",
    D: "detail",
    H: "hint",
    P: "12",
    p: "34",
    q: "internal query",
    W: "where",
    s: "schema",
    t: "table",
    c: "column",
    d: "data type",
    n: "constraint",
    F: "file.c",
    L: "567",
    R: "routine",
  };
  expect(parse(fields)).toEqual({
    fatal: false,
    diagnostic: {
      kind: "error",
      severity: "FEHLER",
      code: "23505",
      message: "message",
      detail: "detail",
      hint: "hint",
      position: 12,
      internalPosition: 34,
      internalQuery: "internal query",
      where: "where",
      schemaName: "schema",
      tableName: "table",
      columnName: "column",
      dataTypeName: "data type",
      constraintName: "constraint",
      file: "file.c",
      line: "567",
      routine: "routine",
    },
  });
});

test("absent fields are undefined, and unknown ones are passed over", () => {
  const { diagnostic } = parse({ V: "ERROR", C: "42601", M: "no", "?": "what" });
  expect(Object.entries(diagnostic).filter(([, value]) => value !== undefined)).toEqual([
    ["kind", "error"],
    ["severity", "ERROR"],
    ["code", "42601"],
    ["message", "no"],
  ]);
});

test.each([
  [{ S: "致命的エラー", V: "FATAL" }, true],
  [{ S: "PANIC", V: "PANIC" }, true],
  [{ S: "FATAL" }, true],
  [{ S: "FATAL", V: "ERROR" }, false],
  [{}, false],
])("whether %j is fatal is not a matter of language", (fields, fatal) => {
  expect(parse(fields).fatal).toBe(fatal);
});

test.each([
  ["1", 1],
  ["2147483647", 2_147_483_647],
  ["2147483648", undefined],
  ["-1", undefined],
  ["1x", undefined],
  ["", undefined],
  ["99999999999999999999", undefined],
])("position %j reads as %s", (text, position) => {
  expect(parse({ P: text, p: text }).diagnostic).toMatchObject({
    position,
    internalPosition: position,
  });
});

test("text that is not UTF-8 does not get in the way", () => {
  const body = Buffer.concat([
    Buffer.from("SERROR\0Mgr"),
    Buffer.from([0xfc]),
    Buffer.from("n\0\0"),
  ]);
  expect(parseDiagnostic("notice", body).diagnostic.message).toBe("gr\ufffdn");
});

test.each([
  ["without an end", "SERROR\0"],
  ["with an unfinished text", "SERROR"],
  ["with something after its end", "SERROR\0\0x"],
  ["that is empty", ""],
])("a body %s is a protocol violation", (_case, body) => {
  expect(() => parseDiagnostic("error", Buffer.from(body))).toThrow(/protocol violation/);
});

test("arbitrary bytes are a diagnostic or a protocol violation", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      try {
        expect(parseDiagnostic("error", Buffer.from(bytes)).diagnostic.kind).toBe("error");
      } catch (error) {
        expect(error).toBeInstanceOf(PgwireError);
      }
    }),
  );
});
