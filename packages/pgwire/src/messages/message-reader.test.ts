import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  commandComplete,
  dataRow,
  header,
  message,
  readyForQuery,
  rowDescription,
} from "../../test/backend-messages.ts";
import { MAX_ROW_BLOCK_BYTES, returnMemory } from "@multipooler/query-service";
import { PgwireError } from "../error.ts";
import { ByteInput } from "./byte-input.ts";
import { MessageReader } from "./message-reader.ts";

const MAX_MESSAGE_BYTES = 65_536;

/** What a reader found, kept. */
type Frame =
  | { type: "rows" | "copyData"; block: Buffer; rowCount: number; inProgress: boolean }
  | { type: "message"; code: number; body: Buffer };

function newReader(): MessageReader {
  return new MessageReader({ input: new ByteInput(), maxMessageBytes: MAX_MESSAGE_BYTES });
}

function nextFrame(reader: MessageReader): Frame | undefined {
  const type = reader.next();
  switch (type) {
    case "none":
      return undefined;
    case "copyData":
    case "rows": {
      const { bytes, rowCount, inProgress } = reader;
      return { type, block: bytes, rowCount, inProgress };
    }
    case "message": {
      const { bytes, code } = reader;
      expect([bytes[0], bytes.readInt32BE(1)]).toEqual([code, bytes.length - 1]);
      return { type, code, body: bytes.subarray(5) };
    }
  }
}

function readAll(chunks: Iterable<Buffer>): Frame[] {
  const reader = newReader();
  const frames: Frame[] = [];
  for (const chunk of chunks) {
    reader.input.push(chunk);
    for (let frame = nextFrame(reader); frame !== undefined; frame = nextFrame(reader)) {
      frames.push(frame);
    }
  }
  return frames;
}

/** What the frames say, however the rows were cut into blocks. */
function meaning(frames: readonly Frame[]): string[] {
  const result: string[] = [];
  let last: { type: string; rowCount: number; bytes: string } | undefined;
  for (const frame of frames) {
    if (frame.type === "message") {
      last = undefined;
      result.push(`${frame.code}:${frame.body.toString("latin1")}`);
      continue;
    }
    const isNew = last?.type !== frame.type;
    last = {
      type: frame.type,
      rowCount: frame.rowCount + (isNew ? 0 : (last?.rowCount ?? 0)),
      bytes: (isNew ? "" : (last?.bytes ?? "")) + frame.block.toString("latin1"),
    };
    result.splice(isNew ? result.length : -1, 1, `${last.type} ${last.rowCount} ${last.bytes}`);
  }
  return result;
}

/** As a socket hands them over: each in memory of its own, which may be returned when it was read. */
function cut(stream: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let offset = 0;
  for (let index = 0; offset < stream.length; index += 1) {
    const size = sizes[index % sizes.length] ?? 1;
    chunks.push(Buffer.from(Uint8Array.from(stream.subarray(offset, offset + size)).buffer));
    offset += size;
  }
  return chunks;
}

const anyMessage = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .array(fc.string({ maxLength: 40 }), { maxLength: 4 })
      .map((values) => dataRow(...values)),
  },
  {
    weight: 1,
    arbitrary: fc.uint8Array({ maxLength: 60 }).map((body) => message("d", Buffer.from(body))),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(..."TCZSENGHc"), fc.uint8Array({ maxLength: 60 }))
      .map(([type, body]) => message(type, Buffer.from(body))),
  },
);
const anyStream = fc
  .array(anyMessage, { maxLength: 30 })
  .map((messages) => Buffer.concat(messages));
const anySizes = fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 20 });

describe("any fragmentation of a stream yields the same frames", () => {
  test("for arbitrary messages and chunk sizes", () => {
    fc.assert(
      fc.property(anyStream, anySizes, (stream, sizes) => {
        expect(meaning(readAll(cut(stream, sizes)))).toEqual(meaning(readAll([stream])));
      }),
    );
  });

  test("for one cut at every byte, and for single bytes", () => {
    const stream = Buffer.concat([
      rowDescription("a", "b"),
      dataRow("1", null),
      dataRow("x".repeat(40), ""),
      message("d", Buffer.from("copied")),
      dataRow(),
      commandComplete("SELECT 3"),
      readyForQuery(),
    ]);
    const whole = meaning(readAll([stream]));
    for (let at = 1; at < stream.length; at += 1) {
      expect(meaning(readAll([stream.subarray(0, at), stream.subarray(at)]))).toEqual(whole);
    }
    expect(meaning(readAll(cut(stream, [1])))).toEqual(whole);
  });

  test("also when a chunk is pushed before the one before it is used up", () => {
    const stream = Buffer.concat([dataRow("1"), commandComplete("SELECT 1"), readyForQuery()]);
    const reader = newReader();
    const frames: Frame[] = [];
    for (const chunk of cut(stream, [3])) {
      reader.input.push(chunk);
      const frame = nextFrame(reader);
      if (frame !== undefined) {
        frames.push(frame);
      }
    }
    for (let frame = nextFrame(reader); frame !== undefined; frame = nextFrame(reader)) {
      frames.push(frame);
    }
    expect(meaning(frames)).toEqual(meaning(readAll([stream])));
  });
});

describe("rows", () => {
  test("of one chunk are one view of it", () => {
    const rows = [dataRow("1"), dataRow("two"), dataRow(null)];
    const chunk = Buffer.concat([...rows, readyForQuery()]);
    const [first] = readAll([chunk]);
    expect(first).toEqual({
      type: "rows",
      block: Buffer.concat(rows),
      rowCount: 3,
      inProgress: false,
    });
    expect(first?.type === "rows" && first.block.buffer).toBe(chunk.buffer);
  });

  test("never share a block beyond its limit", () => {
    const row = dataRow(Buffer.alloc(900_000));
    const frames = readAll([Buffer.concat([row, row, row])]);
    expect(frames.map((frame) => frame.type === "rows" && frame.rowCount)).toEqual([2, 1]);
  });

  test("that are as long as a block arrive whole, from any number of chunks", () => {
    const row = dataRow(Buffer.alloc(MAX_ROW_BLOCK_BYTES - dataRow("").length, 7));
    expect(row.length).toBe(MAX_ROW_BLOCK_BYTES);
    for (const size of [row.length, 65_536, 1_000_003]) {
      const [frame, ...others] = readAll(cut(row, [size]));
      expect(others).toEqual([]);
      expect(frame).toMatchObject({ type: "rows", rowCount: 1, inProgress: false });
      expect(frame?.type === "rows" && row.equals(frame.block)).toBe(true);
    }
  });

  test.each([
    [MAX_ROW_BLOCK_BYTES + 1, "D"],
    [2 * MAX_ROW_BLOCK_BYTES, "D"],
    [5_000_000, "D"],
    [5_000_000, "d"],
  ])("of %i bytes arrive alone, in pieces of which the last one counts (%s)", (length, type) => {
    const before = dataRow("before");
    const row = message(type, Buffer.alloc(length - 5, 7));
    const after = dataRow("after");
    expect(row.length).toBe(length);
    const stream = Buffer.concat([before, row, after]);
    for (const size of [stream.length, 65_536, 999_983]) {
      const frames = readAll(cut(stream, [size])).filter((frame) => frame.type !== "message");
      const pieces = frames.slice(1, -1);
      expect(frames.at(0)?.block).toEqual(before);
      expect(frames.at(-1)?.block).toEqual(after);
      expect(Buffer.concat(pieces.map(({ block }) => block)).equals(row)).toBe(true);
      expect(Math.max(...pieces.map(({ block }) => block.length))).toBeLessThanOrEqual(
        MAX_ROW_BLOCK_BYTES,
      );
      expect(pieces.map(({ inProgress }) => inProgress)).toEqual(
        pieces.map((_, index) => index < pieces.length - 1),
      );
      expect(pieces.map(({ rowCount }) => rowCount)).toEqual(
        pieces.map((_, index) => (index < pieces.length - 1 ? 0 : 1)),
      );
    }
  });

  test("whose header is cut begin with a piece of their own", () => {
    const row = dataRow(Buffer.alloc(MAX_ROW_BLOCK_BYTES));
    for (const at of [1, 4, 5]) {
      const frames = readAll([row.subarray(0, at), row.subarray(at)]);
      const blocks = frames.map((frame) => (frame.type === "rows" ? frame.block : Buffer.alloc(0)));
      expect(Buffer.concat(blocks).equals(row)).toBe(true);
    }
  });
});

describe("lengths are checked before anything is kept", () => {
  test.each([
    ["less than its own four bytes", "Z", 3, MAX_MESSAGE_BYTES],
    ["negative", "D", -1, 0x4000_0000],
    ["beyond the limit of messages", "T", MAX_MESSAGE_BYTES + 1, MAX_MESSAGE_BYTES],
    ["beyond 1 GiB in a row", "D", 0x4000_0001, 0x4000_0000],
    ["beyond 1 GiB in COPY data", "d", 0x7fff_ffff, 0x4000_0000],
  ])("%s", (_case, type, length, limit) => {
    const problem = `message '${type}' has a length of ${length}; at least 4 and at most ${limit} are allowed`;
    const bytes = header(type, length);
    expect(() => readAll([bytes])).toThrow(
      expect.objectContaining({
        code: "PROTOCOL_VIOLATION",
        message: expect.stringContaining(problem),
      }),
    );
    expect(() => readAll(cut(bytes, [1]))).toThrow(problem);
  });

  test("and the largest allowed is taken", () => {
    const [frame] = readAll([message("T", Buffer.alloc(MAX_MESSAGE_BYTES - 4))]);
    expect(frame?.type === "message" && frame.body.length).toBe(MAX_MESSAGE_BYTES - 4);
  });

  test("so that arbitrary bytes are frames or a protocol violation", () => {
    const anyBytes = fc.uint8Array({ maxLength: 400 });
    const likely = fc.array(
      fc.oneof(
        anyMessage,
        anyBytes.map((bytes) => Buffer.from(bytes)),
        fc
          .tuple(fc.constantFrom(..."DdTZ"), fc.integer({ min: -5, max: 100_000 }))
          .map(([type, length]) => header(type, length)),
      ),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(likely, anySizes, (parts, sizes) => {
        const stream = Buffer.concat(parts);
        const chunks = cut(stream, sizes);
        const outcome = [chunks, [stream]].map((input) => {
          try {
            return { frames: meaning(readAll(input)).length };
          } catch (error) {
            expect(error).toBeInstanceOf(PgwireError);
            return error instanceof PgwireError && error.message;
          }
        });
        expect(outcome[0]).toEqual(outcome[1]);
      }),
    );
  });
});

test("it tells whether the stream stands between two messages", () => {
  const reader = newReader();
  expect(reader.atBoundary).toBe(true);
  const stream = Buffer.concat([message("d", Buffer.alloc(9)), dataRow("1"), readyForQuery()]);
  const ends = new Set([0, 14, 14 + dataRow("1").length, stream.length]);
  for (let at = 0; at < stream.length; at += 1) {
    reader.input.push(stream.subarray(at, at + 1));
    while (reader.next() !== "none") {
      // Every frame that is complete by now.
    }
    expect(reader.atBoundary, `after byte ${at + 1}`).toBe(ends.has(at + 1));
  }
});

describe("the memory of a chunk", () => {
  test("is returned when all of it belongs to a message that is put together", () => {
    const long = dataRow("x".repeat(1000));
    const stream = Buffer.concat([rowDescription("a"), long, long, readyForQuery()]);
    const chunks = cut(stream, [400]);
    expect(meaning(readAll(chunks))).toEqual(meaning(readAll([stream])));
    expect(chunks.map(({ length }) => length)).toEqual([400, 0, 0, 0, 0, 55]);
  });

  test("is returned when its rows were copied, each run to memory of its own", () => {
    const rows = Array.from({ length: 50 }, (_, index) => dataRow(String(index)));
    const stream = Buffer.concat([rowDescription("a"), ...rows, readyForQuery()]);
    const chunks = cut(stream, [100]);
    const frames = readAll(chunks);
    expect(meaning(frames)).toEqual(meaning(readAll([stream])));
    expect(chunks.slice(1, -1).map(({ length }) => length)).toEqual(
      chunks.slice(1, -1).map(() => 0),
    );
    const runs = frames.flatMap((frame) =>
      frame.type === "rows" && frame.rowCount > 1 ? [frame.block] : [],
    );
    // What ends with the answer is a view.
    const copied = runs.slice(0, -1);
    expect(copied.length).toBeGreaterThan(chunks.length / 2);
    expect(copied.map(({ buffer }) => buffer.byteLength)).toEqual(
      copied.map(({ length }) => length),
    );
  });

  test("stays the reader's when its blocks are given back by who owns them", () => {
    const reader = newReader();
    for (const value of ["1", "2"]) {
      reader.input.push(Buffer.from(Uint8Array.from(dataRow(value)).buffer));
      const frame = nextFrame(reader);
      expect(frame).toMatchObject({ type: "rows", rowCount: 1, block: dataRow(value) });
      if (frame?.type === "rows") {
        returnMemory(frame.block);
        expect(frame.block).toHaveLength(0);
      }
      expect(nextFrame(reader)).toBeUndefined();
    }
  });
});
