import { constants } from "node:http2";
import { setTimeout as elapsed } from "node:timers/promises";
import { encodeCommandTag, encodeFields } from "@multipooler/query-service";
import { expect, test } from "vitest";
import { textFields } from "./data-rows.ts";
import { BLOCK, fill } from "./filled-stream.ts";
import { SilentClient } from "./silent-client.ts";
import { startServer } from "./test-server.ts";

const LIMIT_MS = 1000;
/** 256 KiB within the limit; within the default limit that is less than 1 KiB a second. */
const READ_BYTES = 32_768;
const READ_INTERVAL_MS = 125;
const SLOW_READS = 24;

test("a statement whose client reads nothing for the limit is ended, and its client told why", async () => {
  await using pooler = await startServer({ clientStallTimeoutMs: LIMIT_MS });
  const filling = fill(pooler.manager);
  using silent = new SilentClient(pooler.address);
  const { behind, signal } = await filling;
  expect(signal.aborted).toBe(false);
  await behind;
  expect(signal.reason).toMatchObject({ name: "AbortError" });
  expect(pooler.log).toContainEqual([
    "warn",
    "a call was ended: its client does not read",
    expect.objectContaining({ limitMs: LIMIT_MS }),
  ]);
  expect(await silent.trailers()).toMatchObject({
    "grpc-status": "8",
    "grpc-message": encodeURI(
      `the client has read nothing of the answer for ${LIMIT_MS} ms (clientStallTimeoutMs)`,
    ),
  });
});

test("what a client still leaves unread when its call has ended is dropped", async () => {
  await using pooler = await startServer({ clientStallTimeoutMs: LIMIT_MS });
  pooler.manager.execute = async (_request, sink) => {
    await sink.write({ type: "fields", bytes: encodeFields(textFields("a")) });
    const block = BLOCK.subarray(0, BLOCK.byteLength / 4);
    await sink.write({ type: "rows", bytes: block, rowCount: 500, inProgress: false });
    await sink.write({ type: "complete", bytes: encodeCommandTag("SELECT 500") });
  };
  using silent = new SilentClient(pooler.address);
  expect(await silent.reset()).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
});

test("a client that reads slowly is left alone until it stops", { timeout: 30_000 }, async () => {
  await using pooler = await startServer({ clientStallTimeoutMs: LIMIT_MS });
  const filling = fill(pooler.manager);
  using slow = new SilentClient(pooler.address);
  const { behind, signal } = await filling;
  for (let reads = 0; reads < SLOW_READS && !signal.aborted; reads += 1) {
    await elapsed(READ_INTERVAL_MS);
    slow.read(READ_BYTES);
  }
  expect(signal.aborted).toBe(false);
  await behind;
  expect(signal.aborted).toBe(true);
});

test.each([0, 60_000])("with a limit of %s ms a client may wait", async (clientStallTimeoutMs) => {
  await using pooler = await startServer({ clientStallTimeoutMs: LIMIT_MS });
  const filling = fill(pooler.manager);
  using silent = new SilentClient(pooler.address);
  const { signal } = await filling;
  pooler.server.change({ clientStallTimeoutMs });
  await elapsed(1.5 * LIMIT_MS);
  expect(signal.aborted).toBe(false);
  silent.cancel();
});
