import { encodeCommandTag, encodeFields } from "@multipooler/query-service";
import { expect, test } from "vitest";
import { textFields } from "./data-rows.ts";
import { startServer } from "./test-server.ts";

/** Longer than the pieces that a stream is written in. */
const LONG_BYTES = 200_000;

/** Yields `blocks`, a message each, and returns what a client gets. */
async function passedThrough(blocks: readonly Buffer[]): Promise<Buffer> {
  await using pooler = await startServer();
  pooler.manager.execute = async (_request, sink) => {
    await sink.write({ type: "fields", bytes: encodeFields(textFields("a")) });
    for (const bytes of blocks) {
      await sink.write({ type: "rows", bytes, rowCount: 1, inProgress: false });
      await sink.write({ type: "complete", bytes: encodeCommandTag("SELECT 1") });
    }
  };
  const received: Uint8Array[] = [];
  const stream = pooler.client.streamExecute({ options: { passthroughRow: true } });
  for await (const { result } of stream) {
    if (result?.payload?.$case === "result") {
      received.push(result.payload.value.passthroughBlock);
    }
  }
  return Buffer.concat(received);
}

function filled(fill: string): Buffer<ArrayBuffer> {
  return Buffer.from(new ArrayBuffer(LONG_BYTES)).fill(fill);
}

test("the memory of a large block is returned once the block has left", async () => {
  const blocks = [filled("one"), filled("two"), filled("three")];
  const wanted = Buffer.concat(blocks);
  expect((await passedThrough(blocks)).equals(wanted)).toBe(true);
  expect(blocks.map(({ length }) => length)).toEqual([0, 0, 0]);
});

test("memory that something else may be in stays", async () => {
  const around = filled("around");
  const block = around.subarray(1);
  const wanted = Buffer.from(block);
  expect((await passedThrough([block])).equals(wanted)).toBe(true);
  expect(around).toHaveLength(LONG_BYTES);
});
