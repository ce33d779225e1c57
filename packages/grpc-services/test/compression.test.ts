import { compressionAlgorithms } from "@grpc/grpc-js";
import { encodeCommandTag } from "@multipooler/query-service";
import { StreamExecuteRequest } from "@multipooler/proto/multipoolerservice";
import { expect, test } from "vitest";
import { RawClient } from "./raw-call.ts";
import { startServer } from "./test-server.ts";

const PATH = "/multipoolerservice.MultipoolerService/StreamExecute";
const MIB = 1_048_576;
const ALGORITHMS = [
  ["deflate", compressionAlgorithms.deflate],
  ["gzip", compressionAlgorithms.gzip],
] as const;

function request(bytes: number): Uint8Array {
  return StreamExecuteRequest.encode(
    StreamExecuteRequest.fromPartial({ query: "x".repeat(bytes) }),
  ).finish();
}

test.each(ALGORITHMS)("requests may be compressed with %s", async (_name, algorithm) => {
  await using pooler = await startServer();
  const seen: number[] = [];
  pooler.manager.execute = async ({ statement }, sink) => {
    seen.push(statement.type === "simple" ? statement.sql.length : 0);
    await sink.write({ type: "complete", bytes: encodeCommandTag("SELECT 1") });
  };
  using client = new RawClient(pooler.address, {
    "grpc.default_compression_algorithm": algorithm,
  });
  for (const bytes of [10, MIB]) {
    expect((await client.call(PATH, request(bytes))).status.code).toBe(0);
  }
  expect(seen).toEqual([10, MIB]);
  expect(pooler.server.receiving).toEqual({ bytes: 0, waiting: 0, refused: 0 });
});

test("a compressed request that becomes larger than the limit is refused", async () => {
  await using pooler = await startServer({ maxMessageBytes: MIB });
  using client = new RawClient(pooler.address, {
    "grpc.default_compression_algorithm": compressionAlgorithms.gzip,
  });
  const { status } = await client.call(PATH, request(MIB));
  expect(status).toMatchObject({ code: 8, details: expect.stringContaining("decompressed") });
});
