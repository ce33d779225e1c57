import fc from "fast-check";
import { expect, test } from "vitest";
import { MalformedMessageError, messageOf } from "./message-body.ts";
import { decodeFields, encodeFields } from "./row-description.ts";

/** A RowDescription with this body. */
function rowDescription(body: Uint8Array): Uint8Array {
  return messageOf(0x54, body);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

test.each([
  ["promises more fields than it holds", int16(0x7fff)],
  ["promises a negative number of fields", int16(-1)],
  [
    "is cut short",
    encodeFields([
      {
        name: "a",
        tableOid: 1,
        tableAttributeNumber: 1,
        dataTypeOid: 25,
        dataTypeSize: -1,
        typeModifier: -1,
        format: 0,
      },
    ]).subarray(5, -1),
  ],
  ["has bytes left over", Buffer.concat([int16(0), Buffer.from([0])])],
  ["is empty", Buffer.alloc(0)],
])("a body that %s is malformed", (_case, body) => {
  expect(() => decodeFields(rowDescription(body))).toThrow(MalformedMessageError);
});

test("arbitrary bytes are fields or malformed", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      try {
        expect(Array.isArray(decodeFields(rowDescription(bytes)))).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedMessageError);
      }
    }),
  );
});
