import fc from "fast-check";
import { expect, test } from "vitest";
import { ArchiveParts } from "./archive-parts.ts";
import type { ArchivePart } from "./archive-parts.ts";

function copyData(content: string): Buffer {
  const header = Buffer.alloc(5);
  header.write("d", 0);
  header.writeInt32BE(4 + Buffer.byteLength(content), 1);
  return Buffer.concat([header, Buffer.from(content)]);
}

const STREAM = Buffer.concat(
  ["nbase.tar\0/data\0", "dsome", "p12345678", "dmore", "m", "d{}"].map(copyData),
);
const PARTS = [
  { type: "archive", name: "base.tar" },
  { type: "data", bytes: Buffer.from("some") },
  { type: "data", bytes: Buffer.from("more") },
  { type: "manifest" },
  { type: "data", bytes: Buffer.from("{}") },
];

test("finds the parts wherever the bytes are cut", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: STREAM.length })), (cuts) => {
      const parts = new ArchiveParts();
      const found: ArchivePart[] = [];
      let from = 0;
      for (const to of [...cuts.toSorted((a, b) => a - b), STREAM.length]) {
        found.push(...parts.read(STREAM.subarray(from, to)));
        from = to;
      }
      expect(found).toEqual(PARTS);
    }),
  );
});

test.each<[string, Buffer]>([
  ["another message", Buffer.from("X\0\0\0\x05d")],
  ["a length below that of a header", Buffer.from("d\0\0\0\x04")],
  ["a length above all that is sent", Buffer.from("d\x7f\0\0\0")],
  ["an unknown part", copyData("?")],
  ["a name without end", copyData("nbase.tar")],
])("refuses %s", (_name, bytes) => {
  expect(() => [...new ArchiveParts().read(bytes)]).toThrow(
    expect.objectContaining({ code: "MALFORMED" }),
  );
});
