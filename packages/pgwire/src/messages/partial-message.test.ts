import { expect, test } from "vitest";
import { PartialMessage } from "./partial-message.ts";

const MIB = 1024 * 1024;

test("memory follows what has arrived, not what was promised", () => {
  const partial = new PartialMessage();
  partial.fill(Buffer.alloc(5), 0, 512 * MIB);
  expect(partial.bytes.buffer.byteLength).toBeLessThanOrEqual(65_536);
  for (let received = 5; received < 4 * MIB; received += 65_536) {
    partial.fill(Buffer.alloc(65_536), 0, 512 * MIB);
    expect(partial.bytes.buffer.byteLength).toBeLessThanOrEqual(65_536 + 2 * partial.length);
  }
});

test("a message that is complete takes no more than its size", () => {
  const partial = new PartialMessage();
  const chunk = Buffer.alloc(65_536, 1);
  while (partial.length < 300_000) {
    partial.fill(chunk, 0, 300_000);
  }
  expect(partial.take().buffer.byteLength).toBe(300_000);
  expect(partial.length).toBe(0);
});

test("the memory that a message has grown out of is returned at once", () => {
  const partial = new PartialMessage();
  const chunk = Buffer.alloc(30_000, 1);
  partial.fill(chunk, 0, 90_000);
  const outgrown = partial.bytes.buffer;
  partial.fill(chunk, 0, 90_000);
  partial.fill(chunk, 0, 90_000);
  expect(outgrown.byteLength).toBe(0);
  expect(partial.take()).toEqual(Buffer.alloc(90_000, 1));
  expect(chunk).toHaveLength(30_000);
});

test("it takes from the chunk no more than it wants", () => {
  const partial = new PartialMessage();
  expect(partial.fill(Buffer.from("abcdef"), 1, 3)).toBe(4);
  expect(partial.fill(Buffer.from("ghi"), 0, 5)).toBe(2);
  expect(partial.take().toString()).toBe("bcdgh");
});
