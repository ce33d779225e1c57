import { once } from "node:events";
import { connect } from "node:http2";
import { StreamPoolerHealthResponse } from "@multipooler/proto/multipoolerservice";
import { expect, test } from "vitest";
import { connect as connectClient } from "../src/client/index.ts";
import { startServer } from "./test-server.ts";

const PATH = "/multipoolerservice.MultipoolerService/StreamPoolerHealth";
const SERVING = 0;
const NOT_SERVING = 1;

/** The serving statuses that a gateway on a connection of its own sees. */
async function* statuses(address: string): AsyncGenerator<number, void, void> {
  using gateway = connectClient({ address });
  for await (const { servingStatus } of gateway.streamPoolerHealth()) {
    yield servingStatus;
  }
}

test("a gateway sees the state at once, a change when it happens, and again when it comes back", async () => {
  await using pooler = await startServer();
  const first = statuses(pooler.address);
  expect((await first.next()).value).toBe(SERVING);
  pooler.manager.change({ ready: false });
  expect((await first.next()).value).toBe(NOT_SERVING);
  await first.return();
  await expect.poll(() => pooler.manager.watchers).toBe(0);
  const second = statuses(pooler.address);
  expect((await second.next()).value).toBe(NOT_SERVING);
  pooler.manager.change({ ready: true });
  expect((await second.next()).value).toBe(SERVING);
  await second.return();
});

test("the server's end is an ordinary end of the stream", async () => {
  await using pooler = await startServer();
  const stream = statuses(pooler.address);
  await stream.next();
  await pooler.server.close();
  expect(await stream.next()).toEqual({ done: true, value: undefined });
});

test("the patience is that of the options", async () => {
  await using pooler = await startServer({ healthStalenessMs: 4000 });
  for await (const message of pooler.client.streamPoolerHealth()) {
    expect(message.recommendedStalenessTimeout).toEqual({ seconds: 4n, nanos: 0 });
    break;
  }
});

test("the stream of a gateway that takes nothing ends once 20 messages wait for it", async () => {
  await using pooler = await startServer();
  // HTTP/2 lets the server send nothing on a stream without a window.
  const session = connect(`http://${pooler.address}`, { settings: { initialWindowSize: 0 } });
  const stream = session.request({
    ":method": "POST",
    ":path": PATH,
    "content-type": "application/grpc",
    te: "trailers",
  });
  const received: Buffer[] = [];
  stream.on("data", (bytes: Buffer) => received.push(bytes));
  const trailers = once(stream, "trailers");
  stream.end(Buffer.alloc(5));
  await expect.poll(() => pooler.manager.watchers).toBe(1);
  for (let change = 0; change < 30; change += 1) {
    pooler.manager.change({ ready: change % 2 === 1 });
  }
  await expect.poll(() => pooler.manager.watchers).toBe(0);
  session.settings({ initialWindowSize: 65_535 });
  const [headers]: unknown[] = await trailers;
  expect(headers).toMatchObject({ "grpc-status": "8" });
  // What was sent before is in order.
  expect(messagesIn(received).every((status, at) => status === at % 2)).toBe(true);
  session.destroy();
});

/** The serving statuses in the bytes of a stream: frames of a flag, a length and a message. */
function messagesIn(chunks: readonly Buffer[]): number[] {
  const bytes = Buffer.concat(chunks);
  const found: number[] = [];
  for (let at = 0; at < bytes.byteLength;) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    found.push(StreamPoolerHealthResponse.decode(bytes.subarray(at + 5, end)).servingStatus);
    at = end;
  }
  return found;
}
