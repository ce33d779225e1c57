import { once } from "node:events";
import { connect, createServer } from "node:net";
import { expect, test } from "vitest";
import { compactChunk } from "./compact-chunk.ts";

test("what a socket has read is copied, and its memory is given back", async () => {
  await using server = createServer((socket) => socket.end("hello"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  const client = connect(port, "127.0.0.1");
  const [chunk]: unknown[] = await once(client, "data");
  client.destroy();
  if (!Buffer.isBuffer(chunk)) {
    throw new TypeError("a socket yields buffers");
  }
  expect(compactChunk(chunk).toString()).toBe("hello");
  expect(chunk.buffer.byteLength).toBe(0);
});

test("a large chunk stays where it is", () => {
  const chunk = Buffer.from(new ArrayBuffer(10_000));
  expect(compactChunk(chunk)).toBe(chunk);
  expect(chunk).toHaveLength(10_000);
});

test("memory that others may have a view of is not given back", () => {
  const slab = Buffer.from(new ArrayBuffer(100), 0, 100);
  const view = slab.subarray(10, 20);
  expect(compactChunk(view)).toBe(view);
  expect(slab).toHaveLength(100);
});
