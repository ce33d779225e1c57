import fc from "fast-check";
import { expect, test } from "vitest";
import { dataRow } from "../../test/data-rows.ts";
import { dataRowBytes, decodeDataRows } from "./data-row.ts";

const values = (columns: number): fc.Arbitrary<(Uint8Array | null)[]> =>
  fc.array(fc.option(fc.uint8Array({ maxLength: 20 })), { minLength: columns, maxLength: columns });

const table = fc
  .nat(5)
  .chain((columns) => fc.tuple(fc.constant(columns), fc.array(values(columns))));

test("rows of any values come out as their lengths and their values", () => {
  fc.assert(
    fc.property(table, ([columns, rows]) => {
      const block = Buffer.concat(rows.map((row) => dataRow(...row)));
      const decoded = [...decodeDataRows(block, columns)];
      expect(decoded.map(({ lengths }) => lengths)).toEqual(
        rows.map((row) => row.map((value) => (value === null ? -1n : BigInt(value.byteLength)))),
      );
      expect(decoded.map((row) => Buffer.from(row.values))).toEqual(
        rows.map((row) => Buffer.concat(row.map((value) => value ?? new Uint8Array()))),
      );
      expect(decoded.map(dataRowBytes)).toEqual(rows.map((row) => dataRow(...row).byteLength));
    }),
  );
});

test("rows are decoded from a part of a larger buffer", () => {
  const block = Buffer.concat([Buffer.from("before"), dataRow("1", null), Buffer.from("after")]);
  const [row] = decodeDataRows(block.subarray(6, -5), 2);
  expect(row?.lengths).toEqual([1n, -1n]);
  expect(Buffer.from(row?.values ?? "").toString()).toBe("1");
});

test("bytes that were damaged anywhere never yield anything but rows or the error", () => {
  const block = Buffer.concat([dataRow("ab", null, "c"), dataRow(null, "", "defg")]);
  fc.assert(
    fc.property(fc.nat(block.length - 1), fc.integer({ min: 1, max: 255 }), (at, difference) => {
      const damaged = Buffer.from(block);
      damaged[at] = (damaged[at] ?? 0) ^ difference;
      try {
        for (const row of decodeDataRows(damaged, 3)) {
          expect(row.lengths).toHaveLength(3);
        }
      } catch (error) {
        expect(error).toMatchObject({ code: "MALFORMED_ROWS" });
      }
    }),
  );
});

const withLength = (length: number): Buffer => {
  const frame = dataRow("a");
  frame.writeInt32BE(length, 1);
  return frame;
};
const withColumnLength = (length: number): Buffer => {
  const frame = dataRow("a");
  frame.writeInt32BE(length, 7);
  return frame;
};

test.each([
  ["another message", Buffer.from([0x5a, 0, 0, 0, 6, 0, 1])],
  ["a header that is cut off", dataRow("a").subarray(0, 4)],
  ["a row that is cut off", dataRow("a").subarray(0, -1)],
  ["a length that is too small", withLength(5)],
  ["a length beyond the block", withLength(13)],
  ["a negative length", withLength(-7)],
  ["a column length beyond the row", withColumnLength(2)],
  ["a column length below -1", withColumnLength(-2)],
  ["a row that is longer than its columns", withColumnLength(0)],
  ["a row without its columns", Buffer.from([0x44, 0, 0, 0, 6, 0, 1])],
  ["another number of columns", dataRow("a", "b")],
])("%s is refused", (_what, block) => {
  expect(() => [...decodeDataRows(block, 1)]).toThrow(
    expect.objectContaining({ code: "MALFORMED_ROWS" }),
  );
});
