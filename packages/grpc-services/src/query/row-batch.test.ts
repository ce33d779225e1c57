import fc from "fast-check";
import { expect, test } from "vitest";
import { dataRow } from "../../test/data-rows.ts";
import { decodeDataRows } from "./data-row.ts";
import { PassthroughBatcher, StructuredBatcher } from "./row-batch.ts";
import type { RowBatch, RowBatcher } from "./row-batch.ts";
import { RowDecoder } from "./row-decoder.ts";
import type { RowsEvent } from "./row-decoder.ts";

const LIMIT = 100;

/** A controller with blocks of at most {@link LIMIT}: whole rows, or the pieces of a larger one. */
const events: fc.Arbitrary<RowsEvent[]> = fc
  .tuple(
    fc.array(fc.array(fc.uint8Array({ maxLength: 250 }), { minLength: 1, maxLength: 6 })),
    fc.integer({ min: 1, max: LIMIT }),
  )
  .map(([groups, pieceBytes]) =>
    groups.flatMap((values) => {
      const frames = values.map((value) => dataRow(value));
      return rowsEvents(frames, pieceBytes);
    }),
  );

function rowsEvents(frames: readonly Buffer[], pieceBytes: number = LIMIT): RowsEvent[] {
  const found: RowsEvent[] = [];
  let bytes = Buffer.alloc(0);
  let rowCount = 0;
  const flush = (): void => {
    if (rowCount > 0) {
      found.push({ type: "rows", bytes, rowCount, inProgress: false });
    }
    bytes = Buffer.alloc(0);
    rowCount = 0;
  };
  for (const frame of frames) {
    if (bytes.byteLength + frame.byteLength > LIMIT) {
      flush();
    }
    if (frame.byteLength > LIMIT) {
      found.push(...pieces(frame, pieceBytes));
    } else {
      bytes = Buffer.concat([bytes, frame]);
      rowCount += 1;
    }
  }
  flush();
  return found;
}

function pieces(frame: Buffer, pieceBytes: number = LIMIT): RowsEvent[] {
  const found: RowsEvent[] = [];
  for (let at = 0; at < frame.byteLength; at += pieceBytes) {
    const inProgress = at + pieceBytes < frame.byteLength;
    const bytes = frame.subarray(at, at + pieceBytes);
    found.push({ type: "rows", bytes, rowCount: inProgress ? 0 : 1, inProgress });
  }
  return found;
}

function batches(batcher: RowBatcher, rows: readonly RowsEvent[]): RowBatch[] {
  const found: RowBatch[] = [];
  for (const event of rows) {
    batcher.add(event, 1, (batch) => found.push(batch));
  }
  found.push(batcher.take());
  return found;
}

const blockBytes = ({ block }: RowBatch): Buffer => Buffer.concat(block);

test("passthrough batches hold the bytes of the blocks, in order, within the limit", () => {
  fc.assert(
    fc.property(events, (rows) => {
      const found = batches(new PassthroughBatcher(LIMIT), rows);
      expect(Buffer.concat(found.map(blockBytes))).toEqual(
        Buffer.concat(rows.map(({ bytes }) => bytes)),
      );
      for (const batch of found) {
        expect(blockBytes(batch).byteLength).toBeLessThanOrEqual(LIMIT);
      }
      for (const batch of found.slice(0, -1)) {
        expect(blockBytes(batch).byteLength).toBeGreaterThan(0);
      }
    }),
  );
});

test("a passthrough batch counts the rows that it completes, and ends inside one only if it says so", () => {
  fc.assert(
    fc.property(events, (rows) => {
      const counts: number[] = [];
      const completed: number[] = [];
      let unfinished = Buffer.alloc(0);
      for (const batch of batches(new PassthroughBatcher(LIMIT), rows)) {
        unfinished = Buffer.concat([unfinished, blockBytes(batch)]);
        counts.push(batch.rowCount);
        completed.push(batch.inProgress ? 0 : [...decodeDataRows(unfinished, 1)].length);
        if (!batch.inProgress) {
          unfinished = Buffer.alloc(0);
        }
      }
      expect(counts).toEqual(completed);
      expect(unfinished.byteLength).toBe(0);
    }),
  );
});

test("the pieces of a row share their batches with nothing else", () => {
  const large = dataRow("x".repeat(230));
  const rows = [...rowsEvents([dataRow("1")]), ...pieces(large), ...rowsEvents([dataRow("2")])];
  const found = batches(new PassthroughBatcher(LIMIT), rows);
  expect(found.map((batch) => [blockBytes(batch), batch.inProgress, batch.rowCount])).toEqual([
    [dataRow("1"), false, 1],
    [large.subarray(0, 100), true, 0],
    [large.subarray(100, 200), true, 0],
    [large.subarray(200), false, 1],
    [dataRow("2"), false, 1],
  ]);
});

test("small pieces of a row are gathered, so that its messages are few", () => {
  const large = dataRow("x".repeat(230));
  const rows = [...rowsEvents([dataRow("1")]), ...pieces(large, 30), ...rowsEvents([dataRow("2")])];
  const found = batches(new PassthroughBatcher(LIMIT), rows);
  expect(found.map((batch) => [blockBytes(batch), batch.inProgress, batch.rowCount])).toEqual([
    [dataRow("1"), false, 1],
    [large.subarray(0, 90), true, 0],
    [large.subarray(90, 180), true, 0],
    [large.subarray(180), false, 1],
    [dataRow("2"), false, 1],
  ]);
});

test("a passthrough batch is handed out only when the next block does not fit into it", () => {
  const small = fc.array(fc.uint8Array({ maxLength: 60 }), { minLength: 1 });
  fc.assert(
    fc.property(small, (values) => {
      const rows = values.flatMap((value) => rowsEvents([dataRow(value)]));
      const found = batches(new PassthroughBatcher(LIMIT), rows);
      for (const [index, batch] of found.slice(0, -1).entries()) {
        const next = found[index + 1]?.block[0];
        expect(blockBytes(batch).byteLength + (next?.byteLength ?? 0)).toBeGreaterThanOrEqual(
          LIMIT,
        );
      }
    }),
  );
});

test("structured batches hold every row, decoded, and are full from the limit on", () => {
  fc.assert(
    fc.property(events, (rows) => {
      const found = batches(new StructuredBatcher(LIMIT, new RowDecoder(1000)), rows);
      const everything = Buffer.concat(rows.map(({ bytes }) => bytes));
      expect(found.flatMap((batch) => batch.rows.map(plain))).toEqual(
        [...decodeDataRows(everything, 1)].map(plain),
      );
      for (const batch of found) {
        const bytes = batch.rows.reduce((sum, row) => sum + 11 + row.values.byteLength, 0);
        expect(bytes <= LIMIT || batch.rows.length === 1).toBe(true);
      }
    }),
  );
});

function plain(row: { lengths: bigint[]; values: Uint8Array }): unknown {
  return [row.lengths, Buffer.from(row.values).toString("hex")];
}

test("a structured batch of tiny rows is full long before its bytes are", () => {
  const bytes = Buffer.concat(Array.from({ length: 20_000 }, () => dataRow(null)));
  const event: RowsEvent = { type: "rows", bytes, rowCount: 20_000, inProgress: false };
  const found = batches(new StructuredBatcher(2_097_152, new RowDecoder(1000)), [event]);
  expect(found.map((batch) => batch.rows.length)).toEqual([8192, 8192, 3616]);
});

test("a row in pieces is put together up to the limit and refused beyond it", () => {
  const decoder = new RowDecoder(300);
  const fitting = pieces(dataRow(Buffer.alloc(289)));
  expect(fitting.flatMap((piece) => [...decoder.decode(piece, 1)])).toHaveLength(1);
  const tooLarge = pieces(dataRow(Buffer.alloc(290)));
  expect(() => tooLarge.flatMap((piece) => [...decoder.decode(piece, 1)])).toThrow(
    expect.objectContaining({ code: "MESSAGE_TOO_LARGE" }),
  );
});
