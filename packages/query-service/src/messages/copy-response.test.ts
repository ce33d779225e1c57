import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeCopyFormats, encodeCopyData, encodeCopyFormats } from "./copy-response.ts";
import { MalformedMessageError } from "./message-body.ts";

const formats = fc.record({
  format: fc.constantFrom(0, 1),
  columnFormats: fc.array(fc.constantFrom(0, 1)),
});

test("the formats of a COPY survive both ways", () => {
  fc.assert(
    fc.property(fc.constantFrom("in", "out"), formats, (way, value) => {
      expect(decodeCopyFormats(encodeCopyFormats(way, value))).toEqual(value);
    }),
  );
});

test("a start of a COPY that is cut, or has something behind it, is malformed", () => {
  const bytes = encodeCopyFormats("in", { format: 0, columnFormats: [0, 1] });
  for (const wrong of [
    bytes.subarray(0, 3),
    Buffer.from([...bytes.subarray(0, 5), 0, 0, 9]),
    Buffer.concat([bytes, Buffer.from([0])]),
    encodeCopyData(Buffer.from("x")),
  ]) {
    expect(() => decodeCopyFormats(wrong)).toThrow(MalformedMessageError);
  }
});

test("CopyData has its content behind the header", () => {
  expect(Buffer.from(encodeCopyData(Buffer.from("1\n"))).toString("latin1")).toBe("d\0\0\0\x061\n");
});
