import { encodeFields, encodeCommandTag } from "@multipooler/query-service";
import { expect, test } from "vitest";
import { textFields } from "./data-rows.ts";
import { BLOCK, fill } from "./filled-stream.ts";
import { SilentClient } from "./silent-client.ts";
import { startServer } from "./test-server.ts";

const MIB = 1_048_576;
test("a client that does not read holds the statement up, with little in the server", async () => {
  await using pooler = await startServer();
  const before = process.memoryUsage().arrayBuffers;
  const filling = fill(pooler.manager);
  using silent = new SilentClient(pooler.address);
  const { bytes, behind } = await filling;
  let isBehind = true;
  const waiting = behind.then(() => {
    isBehind = false;
  });
  expect(bytes).toBeLessThan(6 * MIB);
  // Others are served meanwhile; after this many round trips nothing is on its way any more.
  for (let trip = 0; trip < 50; trip += 1) {
    await pooler.client.isServing("");
  }
  expect(isBehind).toBe(true);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * MIB);
  silent.cancel();
  await waiting;
});

test("a statement that waits for a client is woken when the client cancels", async () => {
  await using pooler = await startServer();
  const filling = fill(pooler.manager);
  using silent = new SilentClient(pooler.address);
  const { behind, signal } = await filling;
  expect(signal.aborted).toBe(false);
  silent.cancel();
  await behind;
  expect(signal.reason).toMatchObject({ name: "AbortError" });
});

test("a statement that waits for a client is woken when the client goes away", async () => {
  await using pooler = await startServer();
  const filling = fill(pooler.manager);
  const silent = new SilentClient(pooler.address);
  const { behind, signal } = await filling;
  silent[Symbol.dispose]();
  await behind;
  expect(signal.reason).toMatchObject({ name: "AbortError" });
});

test("a deadline passes also for a client that never reads", async () => {
  await using pooler = await startServer();
  const filling = fill(pooler.manager);
  using _silent = new SilentClient(pooler.address, "300m");
  const { behind, signal } = await filling;
  await behind;
  expect(signal.reason).toMatchObject({ name: "TimeoutError" });
});

test("many clients that leave small results unread are held up before the results fill memory", async () => {
  await using pooler = await startServer();
  const clients = 120;
  const result = BLOCK.subarray(0, (BLOCK.byteLength / 2000) * 900);
  const allWritten = Promise.withResolvers<void>();
  const allEnded = Promise.withResolvers<void>();
  let written = 0;
  let ended = 0;
  let keptBytes = 0;
  pooler.manager.execute = async (_request, sink) => {
    await sink.write({ type: "fields", bytes: encodeFields(textFields("a")) });
    const block = Buffer.from(result);
    await sink.write({ type: "rows", bytes: block, rowCount: 900, inProgress: false });
    const behind = sink.write({ type: "complete", bytes: encodeCommandTag("SELECT 900") });
    if (behind === undefined) {
      keptBytes += block.byteLength;
    }
    if (++written === clients) {
      allWritten.resolve();
    }
    await behind;
    if (++ended === clients) {
      allEnded.resolve();
    }
  };
  const silent = Array.from({ length: clients }, () => new SilentClient(pooler.address));
  await allWritten.promise;
  expect(keptBytes).toBeGreaterThan(60 * MIB);
  expect(keptBytes).toBeLessThan(66 * MIB);
  for (const client of silent) {
    client[Symbol.dispose]();
  }
  await allEnded.promise;
});

test("a client that reads slowly gets everything", async () => {
  await using pooler = await startServer();
  const blocks = 40;
  pooler.manager.execute = async (_request, sink) => {
    await sink.write({ type: "fields", bytes: encodeFields(textFields("a")) });
    for (let block = 0; block < blocks; block += 1) {
      await sink.write({
        type: "rows",
        bytes: Buffer.from(BLOCK),
        rowCount: 2000,
        inProgress: false,
      });
    }
    await sink.write({ type: "complete", bytes: encodeCommandTag(`SELECT ${blocks * 2000}`) });
  };
  let bytes = 0;
  let rows = 0;
  const stream = pooler.client.streamExecute({ options: { passthroughRow: true } });
  for await (const { result } of stream) {
    if (result?.payload?.$case !== "result") {
      continue;
    }
    bytes += result.payload.value.passthroughBlock.byteLength;
    rows += result.payload.value.passthroughRowCount;
    // Slower than the server by some round trips.
    for (let trip = 0; trip < 3; trip += 1) {
      await pooler.client.isServing("");
    }
  }
  expect(bytes).toBe(blocks * BLOCK.byteLength);
  expect(rows).toBe(blocks * 2000);
});
