import fc from "fast-check";
import { expect, test } from "vitest";
import { cstring, int16, int32 } from "../test/backend-messages.ts";
import { PgwireError } from "./error.ts";
import { parseRowDescription } from "./row-description.ts";
import type { Field } from "./row-description.ts";

const oid = fc.integer({ min: 0, max: 0xffff_ffff });
const short = fc.integer({ min: -0x8000, max: 0x7fff });
const anyField: fc.Arbitrary<Field> = fc.record({
  name: fc.string({ unit: "grapheme" }).filter((name) => !name.includes("\0")),
  tableOid: oid,
  tableAttributeNumber: short,
  dataTypeOid: oid,
  dataTypeSize: short,
  typeModifier: fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }),
  format: fc.constantFrom(0, 1),
});

function encode(fields: readonly Field[]): Buffer {
  return Buffer.concat([
    int16(fields.length),
    ...fields.flatMap((field) => [
      cstring(field.name),
      int32(Math.trunc(field.tableOid) | 0),
      int16(field.tableAttributeNumber),
      int32(Math.trunc(field.dataTypeOid) | 0),
      int16(field.dataTypeSize),
      int32(field.typeModifier),
      int16(field.format),
    ]),
  ]);
}

test("what was written is read", () => {
  fc.assert(
    fc.property(fc.array(anyField, { maxLength: 20 }), (fields) => {
      expect(parseRowDescription(encode(fields))).toEqual(fields);
    }),
  );
});

test.each([
  ["promises more fields than it holds", int16(0x7fff)],
  ["promises a negative number of fields", int16(-1)],
  [
    "is cut short",
    encode([
      {
        name: "a",
        tableOid: 1,
        tableAttributeNumber: 1,
        dataTypeOid: 25,
        dataTypeSize: -1,
        typeModifier: -1,
        format: 0,
      },
    ]).subarray(0, -1),
  ],
  ["has bytes left over", Buffer.concat([int16(0), Buffer.from([0])])],
  ["is empty", Buffer.alloc(0)],
])("a body that %s is a protocol violation", (_case, body) => {
  expect(() => parseRowDescription(body)).toThrow(/protocol violation/);
});

test("arbitrary bytes are fields or a protocol violation", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      try {
        expect(Array.isArray(parseRowDescription(Buffer.from(bytes)))).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(PgwireError);
      }
    }),
  );
});
