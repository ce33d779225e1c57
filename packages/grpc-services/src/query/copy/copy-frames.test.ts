import { encodeCopyData, MalformedMessageError } from "@multipooler/query-service";
import fc from "fast-check";
import { expect, test } from "vitest";
import { CopyFrames } from "./copy-frames.ts";

interface Piece {
  readonly bytes: Uint8Array;
  readonly inProgress: boolean;
}

/** One long message in pieces of this size. */
function pieces(content: Uint8Array, size: number): Piece[] {
  const whole = encodeCopyData(content);
  const parts: Piece[] = [];
  for (let start = 0; start < whole.length; start += size) {
    const bytes = whole.subarray(start, start + size);
    parts.push({ bytes, inProgress: start + size < whole.length });
  }
  return parts;
}

function framesOf(events: readonly Piece[], maxFrameBytes: number): Buffer[] {
  const frames = new CopyFrames(maxFrameBytes);
  const found: Buffer[] = [];
  for (const event of events) {
    frames.take(event, (parts) => void found.push(Buffer.concat(parts)));
  }
  return found;
}

test("runs and pieces in any order yield the contents one by one", () => {
  const content = fc.uint8Array({ maxLength: 100 });
  const event = fc.oneof(
    fc.array(content, { maxLength: 5 }).map((contents) => ({
      contents,
      events: [{ bytes: Buffer.concat(contents.map(encodeCopyData)), inProgress: false }],
    })),
    fc.tuple(content, fc.integer({ min: 5, max: 40 })).map(([one, size]) => ({
      contents: [one],
      events: pieces(one, size),
    })),
  );
  fc.assert(
    fc.property(fc.array(event), (all) => {
      const found = framesOf(
        all.flatMap(({ events }) => events),
        1000,
      );
      expect(found).toEqual(all.flatMap(({ contents }) => contents.map((one) => Buffer.from(one))));
    }),
  );
});

test("what no message can hold comes in pieces that do", () => {
  const content = Buffer.alloc(1000, "x");
  const found = framesOf(pieces(content, 70), 300);
  expect(Buffer.concat(found).equals(content)).toBe(true);
  expect(Math.max(...found.map(({ length }) => length))).toBeLessThanOrEqual(300);
});

test.each([
  ["another message", Buffer.from("C\0\0\0\x04")],
  ["a header that is cut", Buffer.from("d\0\0")],
  ["a length that cannot be", Buffer.from("d\0\0\0\x03")],
  ["a length beyond the end", Buffer.from("d\0\0\0\x09x")],
])("%s is malformed", (_name, bytes) => {
  expect(() => framesOf([{ bytes, inProgress: false }], 100)).toThrow(MalformedMessageError);
});
