import fc from "fast-check";
import { expect, test } from "vitest";
import type { Diagnostic } from "../diagnostic.ts";
import { decodeDiagnostic } from "./diagnostic-message.ts";
import { MalformedMessageError, messageOf } from "./message-body.ts";

const [ERROR, NOTICE] = [0x45, 0x4e];

function parse(fields: Readonly<Record<string, string>>): Diagnostic {
  const parts = Object.entries(fields).map(([type, value]) => `${type}${value}\0`);
  return decodeDiagnostic(messageOf(ERROR, Buffer.from(`${parts.join("")}\0`)));
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
    kind: "error",
    severity: "ERROR",
    localizedSeverity: "FEHLER",
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
  });
});

test("absent fields are undefined, and unknown ones are passed over", () => {
  const diagnostic = parse({ V: "ERROR", C: "42601", M: "no", "?": "what" });
  expect(Object.entries(diagnostic).filter(([, value]) => value !== undefined)).toEqual([
    ["kind", "error"],
    ["severity", "ERROR"],
    ["code", "42601"],
    ["message", "no"],
  ]);
});

test.each([
  [{ S: "致命的エラー", V: "FATAL" }, "FATAL", "致命的エラー"],
  [{ S: "PANIC", V: "PANIC" }, "PANIC", undefined],
  [{ S: "FATAL" }, "FATAL", undefined],
  [{ S: "FATAL", V: "ERROR" }, "ERROR", "FATAL"],
  [{}, "ERROR", undefined],
])("the severity of %j is no matter of language", (fields, severity, localizedSeverity) => {
  expect(parse(fields)).toMatchObject({ severity, localizedSeverity });
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
  expect(parse({ P: text, p: text })).toMatchObject({
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
  expect(decodeDiagnostic(messageOf(NOTICE, body)).message).toBe("gr\ufffdn");
});

test.each([
  ["without an end", "SERROR\0"],
  ["with an unfinished text", "SERROR"],
  ["with something after its end", "SERROR\0\0x"],
  ["that is empty", ""],
  ["with more fields than any server sends", `${"Mm\0".repeat(1000)}\0`],
])("a body %s is malformed", (_case, body) => {
  expect(() => decodeDiagnostic(messageOf(ERROR, Buffer.from(body)))).toThrow(
    MalformedMessageError,
  );
});

test("arbitrary bytes are a diagnostic or malformed", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      try {
        expect(decodeDiagnostic(messageOf(ERROR, bytes)).kind).toBe("error");
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedMessageError);
      }
    }),
  );
});
