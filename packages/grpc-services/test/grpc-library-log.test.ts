import { connect } from "node:http2";
import { expect, onTestFinished, test, vi } from "vitest";
import { logGrpcLibrary } from "../src/server/grpc-library-log.ts";
import { startServer } from "./test-server.ts";

/** An empty request of ExecuteQuery with a header that gRPC does not allow. */
async function callWithHeader(address: string, name: string, value: string): Promise<void> {
  const session = connect(`http://${address}`);
  const call = session.request({
    ":method": "POST",
    ":path": "/multipoolerservice.MultipoolerService/ExecuteQuery",
    "content-type": "application/grpc",
    te: "trailers",
    [name]: value,
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  call.once("close", resolve);
  call.once("error", reject);
  call.resume();
  // One message of no bytes.
  call.end(Buffer.alloc(5));
  try {
    await promise;
  } finally {
    session.close();
  }
}

test("what a client makes grpc-js complain about is logged, cut short, and not printed", async () => {
  const printed = vi.spyOn(console, "error").mockImplementation(() => {});
  onTestFinished(() => printed.mockRestore());
  const warned: [object, string][] = [];
  logGrpcLibrary({
    debug() {},
    info() {},
    warn: (fields, message) => warned.push([fields, message]),
    error() {},
  });
  await using pooler = await startServer();
  await callWithHeader(pooler.address, "x-caller", `h\u00e9llo${"o".repeat(5000)}`);
  expect(warned).toEqual([
    [
      { text: expect.stringMatching(/^Failed to add metadata entry x-caller: .{450,470}$/) },
      "grpc-js has a complaint",
    ],
  ]);
  expect(printed).not.toHaveBeenCalled();
});
