import fc from "fast-check";
import { expect, test } from "vitest";
import type { Diagnostic } from "../diagnostic.ts";
import type { Field } from "../result.ts";
import { decodeCommandTag, encodeCommandTag } from "./command-complete.ts";
import { encodeRow } from "./data-row.ts";
import { decodeDiagnostic, encodeDiagnostic } from "./diagnostic-message.ts";
import { MalformedMessageError } from "./message-body.ts";
import { decodeNotification, encodeNotification } from "./notification-response.ts";
import { decodeParameterTypes, encodeParameterTypes } from "./parameter-description.ts";
import { decodeParameterStatus, encodeParameterStatus } from "./parameter-status.ts";
import { decodeFields, encodeFields } from "./row-description.ts";

const text = fc.string({ unit: "grapheme" }).filter((value) => !value.includes("\0"));
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const int32 = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
const int16 = fc.integer({ min: -0x8000, max: 0x7fff });
const field = fc.record({
  name: text,
  tableOid: uint32,
  tableAttributeNumber: int16,
  dataTypeOid: uint32,
  dataTypeSize: int16,
  typeModifier: int32,
  format: fc.constantFrom(0, 1),
});
const SOME_FIELD: Field = {
  name: "a",
  tableOid: 0,
  tableAttributeNumber: 0,
  dataTypeOid: 25,
  dataTypeSize: -1,
  typeModifier: -1,
  format: 0,
};
const diagnostic: fc.Arbitrary<Diagnostic> = fc.record(
  {
    kind: fc.constantFrom("error", "notice"),
    severity: fc.constantFrom("ERROR", "FATAL", "NOTICE"),
    localizedSeverity: fc.constantFrom("FEHLER", "ОШИБКА"),
    code: fc.stringMatching(/^[0-9A-Z]{5}$/),
    message: text,
    detail: text,
    hint: text,
    position: fc.nat(),
    internalPosition: fc.nat(),
    internalQuery: text,
    where: text,
    schemaName: text,
    tableName: text,
    columnName: text,
    dataTypeName: text,
    constraintName: text,
    file: text,
    line: text,
    routine: text,
  },
  { requiredKeys: ["kind", "severity", "code", "message"] },
);

test("what is encoded is decoded as it was", () => {
  fc.assert(
    fc.property(fc.array(field), text, text, diagnostic, (fields, name, value, said) => {
      expect(decodeFields(encodeFields(fields))).toEqual(fields);
      const oids = fields.map(({ dataTypeOid }) => dataTypeOid);
      expect(decodeParameterTypes(encodeParameterTypes(oids))).toEqual(oids);
      expect(decodeCommandTag(encodeCommandTag(name))).toBe(name);
      expect(decodeParameterStatus(encodeParameterStatus({ name, value }))).toEqual({
        name,
        value,
      });
      expect(decodeDiagnostic(encodeDiagnostic(said))).toEqual(said);
    }),
  );
});

test("a notification is decoded as it was encoded", () => {
  fc.assert(
    fc.property(int32, text, text, (processId, channel, payload) => {
      const notification = { processId, channel, payload };
      expect(decodeNotification(encodeNotification(notification))).toEqual(notification);
    }),
  );
});

test("a row is encoded as PostgreSQL does, NULL as the length -1", () => {
  const row = encodeRow([Buffer.from("ab"), null]);
  expect(Buffer.from(row).toString("hex")).toBe("44000000100002000000026162ffffffff");
});

test.each([
  ["a row", (columns: number) => encodeRow(Array.from({ length: columns }, () => null))],
  [
    "a description",
    (columns: number) => encodeFields(Array.from({ length: columns }, () => SOME_FIELD)),
  ],
])("%s has at most as many columns as an int16 counts", (_case, encode) => {
  expect(Buffer.from(encode(32_767)).readInt16BE(5)).toBe(32_767);
  expect(() => encode(32_768)).toThrow(
    new MalformedMessageError("a message holds at most 32767 columns, and these are 32768"),
  );
});

test("whatever bytes come, decoding returns or says that they are malformed", () => {
  const decoders = [
    decodeFields,
    decodeCommandTag,
    decodeParameterStatus,
    decodeDiagnostic,
    decodeNotification,
  ];
  const valid = fc.oneof(
    fc.array(field).map(encodeFields),
    text.map((channel) => encodeNotification({ processId: 1, channel, payload: "" })),
    text.map(encodeCommandTag),
    diagnostic.map(encodeDiagnostic),
  );
  const damaged = fc
    .tuple(valid, fc.nat(), fc.nat(255), fc.nat(4))
    .map(([bytes, at, byte, cut]) => {
      const copy = Buffer.from(bytes);
      copy[at % copy.length] = byte;
      return copy.subarray(0, copy.length - (cut % copy.length));
    });
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array()), (bytes) => {
      for (const decode of decoders) {
        try {
          expect(decode(bytes)).toBeDefined();
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedMessageError);
        }
      }
    }),
    { numRuns: 2000 },
  );
});

test("a diagnostic without its end is malformed", () => {
  const cut = Buffer.from("450000000a534641", "hex");
  expect(() => decodeDiagnostic(Buffer.concat([cut, Buffer.from("54414c")]))).toThrow(
    MalformedMessageError,
  );
});

test("one that names neither severity nor SQLSTATE reads as an internal error", () => {
  const bytes = Buffer.from("45000000094d6f770000", "hex");
  expect(decodeDiagnostic(bytes)).toMatchObject({
    severity: "ERROR",
    code: "XX000",
    message: "ow",
  });
});

test("a text with a NUL character is refused", () => {
  expect(() => encodeCommandTag("a\0b")).toThrow(MalformedMessageError);
});
