import { once } from "node:events";
import { createServer } from "node:http2";
import type { Http2Server } from "node:http2";
import { expect, onTestFinished, test, vi } from "vitest";
import { connect } from "../src/client/index.ts";
import { logGrpcLibrary } from "../src/server/grpc-library-log.ts";

/** A server that answers every call with a header that gRPC does not allow. Its address. */
async function serverWithHeader(name: string, value: string): Promise<string> {
  const server: Http2Server = createServer();
  server.on("stream", (stream) => {
    stream.on("error", () => {});
    stream.respond(
      { "content-type": "application/grpc", "grpc-status": "12", [name]: value },
      { endStream: true },
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const address = server.address();
  return `127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
}

test("what a peer makes grpc-js complain about is logged, cut short, and not printed", async () => {
  const printed = vi.spyOn(console, "error").mockImplementation(() => {});
  onTestFinished(() => printed.mockRestore());
  const warned: [object, string][] = [];
  logGrpcLibrary({
    debug() {},
    info() {},
    warn: (fields, message) => warned.push([fields, message]),
    error() {},
  });
  const address = await serverWithHeader("x-server", `h\u00e9llo${"o".repeat(5000)}`);
  using client = connect({ address });
  await expect(client.status()).rejects.toMatchObject({ code: "UNIMPLEMENTED" });
  expect(warned).toEqual([
    [
      { text: expect.stringMatching(/^Failed to add metadata entry x-server: .{450,470}$/) },
      "grpc-js has a complaint",
    ],
  ]);
  expect(printed).not.toHaveBeenCalled();
});
