import { createServer, connect } from "node:net";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { expect, test } from "vitest";
import { compactChunk } from "./compact-chunk.ts";

test("what a socket has read is copied, and its memory is given back", async () => {
  await using server = createServer((socket) => socket.end("hello"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = connect(port, "127.0.0.1");
  const [chunk] = (await once(client, "data")) as [Buffer];
  const own = compactChunk(chunk);
  expect(own.toString()).toBe("hello");
  expect(chunk.buffer.byteLength).toBe(0);
  client.destroy();
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
