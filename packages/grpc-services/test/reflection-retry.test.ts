import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type * as Descriptors from "@multipooler/proto/descriptors";
import { expect, test, vi } from "vitest";
import { RawClient } from "./raw-call.ts";
import { startServer } from "./test-server.ts";

let loads = 0;

vi.mock("@multipooler/proto/descriptors", async (original) => {
  const descriptors = await original<typeof Descriptors>();
  return {
    get fileDescriptorSet() {
      loads += 1;
      if (loads === 1) {
        throw new Error("too many open files");
      }
      return descriptors.fileDescriptorSet;
    },
  };
});

test("descriptors that could not be read are read for the next who asks", async () => {
  await using pooler = await startServer();
  using client = new RawClient(pooler.address);
  const listServices = new BinaryWriter().tag(7, WireType.LengthDelimited).string("*").finish();
  const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
  const code = async (): Promise<number> => (await client.callBidi(path, listServices)).status.code;
  expect(await code()).not.toBe(0);
  expect(await code()).toBe(0);
});
