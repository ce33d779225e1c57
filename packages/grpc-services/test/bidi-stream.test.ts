import { Client, credentials, Metadata } from "@grpc/grpc-js";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import { once } from "node:events";
import { expect, test } from "vitest";
import { GrpcServicesError } from "../src/errors/error.ts";
import type { BidiStreamHandler } from "../src/server/rpc.ts";
import { TcpProxy } from "@multipooler/tcp-proxy";
import { ECHO_PATH, startEchoServer } from "./echo-server.ts";
import type { EchoServer } from "./echo-server.ts";

const KIB = 1024;

interface Scene extends AsyncDisposable {
  /** Bytes that the client has sent to the server. */
  readonly sentBytes: number;
  readonly server: EchoServer;
  readonly network: TcpProxy;
  readonly call: ClientDuplexStream<string, string>;
  readonly received: readonly string[];
  /** The code of the status. */
  readonly ended: Promise<number>;
}

async function start(
  handle: BidiStreamHandler<string, string>,
  metadata = new Metadata(),
): Promise<Scene> {
  const server = await startEchoServer(handle);
  let sentBytes = 0;
  const network = await TcpProxy.before(server.port, (bytes) => (sentBytes += bytes.length));
  const client = new Client(network.address, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
  });
  const call = client.makeBidiStreamRequest<string, string>(
    ECHO_PATH,
    (text: string) => Buffer.from(text),
    String,
    metadata,
  );
  const received: string[] = [];
  const ended = Promise.withResolvers<number>();
  call.on("data", (message: string) => received.push(message));
  call.on("error", () => {});
  call.on("status", ({ code }) => ended.resolve(code));
  return {
    server,
    network,
    call,
    received,
    ended: ended.promise,
    get sentBytes() {
      return sentBytes;
    },
    async [Symbol.asyncDispose]() {
      call.cancel();
      client.close();
      await network[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

const echoAll: BidiStreamHandler<string, string> = async (requests, sink) => {
  for (let text = await requests.next(); text !== undefined; text = await requests.next()) {
    await sink.write(`${text}!`);
  }
};

test("every message is answered in order, and the end of one side ends the other", async () => {
  await using scene = await start(echoAll);
  const texts = Array.from({ length: 500 }, (_, index) => `${index}`.repeat((index % 50) * 100));
  for (const text of texts) {
    scene.call.write(text);
  }
  scene.call.end();
  expect(await scene.ended).toBe(0);
  expect(scene.received).toEqual(texts.map((text) => `${text}!`));
  expect(scene.server.receiving.count).toEqual({ bytes: 0, waiting: 0, refused: 0 });
});

test("answers come before the client has sent everything, and while it is silent", async () => {
  await using scene = await start(echoAll);
  for (const text of ["a", "b"]) {
    scene.call.write(text);
    await once(scene.call, "data");
  }
  expect(scene.received).toEqual(["a!", "b!"]);
});

test("a handler that takes no message holds its client up, and nobody counts as late", async () => {
  const goOn = Promise.withResolvers<void>();
  let taken = 0;
  await using scene = await start(async (requests) => {
    while ((await requests.next()) !== undefined) {
      taken += 1;
      await goOn.promise;
    }
  });
  const text = "x".repeat(100 * KIB);
  for (let count = 0; count < 100; count += 1) {
    scene.call.write(text);
  }
  scene.call.end();
  await expect.poll(() => taken).toBe(1);
  await settled(() => scene.sentBytes);
  expect(scene.sentBytes).toBeLessThan(500 * KIB);
  expect(scene.server.receiving.count.bytes).toBe(0);
  goOn.resolve();
  expect(await scene.ended).toBe(0);
  expect(taken).toBe(100);
});

/** Waits until a figure has been the same for some turns of the event loop with I/O. */
async function settled(figure: () => number): Promise<void> {
  let [last, since] = [figure(), 0];
  await expect
    .poll(() => {
      since = figure() === last ? since + 1 : 0;
      last = figure();
      return since;
    })
    .toBeGreaterThan(5);
}

test("a lost connection ends the wait for the next message", async () => {
  const failed = Promise.withResolvers<unknown>();
  await using scene = await start(async (requests, sink) => {
    await sink.write("ready");
    await requests.next().catch(failed.resolve);
  });
  await once(scene.call, "data");
  scene.network.shut();
  expect(await failed.promise).toMatchObject({ code: "CANCELLED" });
});

test("a cancelled call ends the wait, and its signal aborts", async () => {
  const aborted = Promise.withResolvers<unknown>();
  await using scene = await start(async (requests, sink, { signal }) => {
    signal.addEventListener("abort", () => aborted.resolve(signal.reason));
    await sink.write("ready");
    // grpc-js says that nothing follows before it says that the call is cancelled.
    await requests.next().catch(() => undefined);
    await aborted.promise;
    await requests.next();
  });
  await once(scene.call, "data");
  scene.call.cancel();
  expect(await aborted.promise).toHaveProperty("name", "AbortError");
});

/** A deadline that only the server heeds: a client that does cancels a little earlier. */
function timeout(value: string): Metadata {
  const metadata = new Metadata();
  metadata.set("grpc-timeout", value);
  return metadata;
}

test("the deadline of a call ends the wait for its next message", async () => {
  const failed = Promise.withResolvers<unknown>();
  await using scene = await start(async (requests) => {
    try {
      await requests.next();
    } catch (error) {
      failed.resolve(error);
      throw error;
    }
  }, timeout("300m"));
  expect(await failed.promise).toMatchObject({ code: "RECEIVE_TIMEOUT" });
  expect(await scene.ended).toBe(4);
  expect(scene.server.log).toEqual([]);
});

test("a handler may end while its client still sends", async () => {
  await using scene = await start(async (requests, sink) => {
    await sink.write(`${await requests.next()} is enough`);
  });
  scene.call.write("one");
  scene.call.write("two");
  expect(await scene.ended).toBe(0);
  expect(scene.received).toEqual(["one is enough"]);
});

test("what a handler throws becomes the status, behind what it wrote", async () => {
  await using scene = await start(async (requests, sink) => {
    await sink.write("first");
    await requests.next();
    throw new GrpcServicesError("NOT_FOUND", "no");
  });
  scene.call.write("one");
  expect(await scene.ended).toBe(5);
  expect(scene.received).toEqual(["first"]);
});

test("bytes that are no message fail the call", async () => {
  await using scene = await start(echoAll);
  scene.call.write("malformed");
  expect(await scene.ended).toBe(13);
});

test("a message above the limit fails the call, and ends its handler", async () => {
  const stopped = Promise.withResolvers<unknown>();
  await using scene = await start(async (requests, sink, { signal }) => {
    await echoAll(requests, sink, { signal, peer: "" }).catch(stopped.resolve);
  });
  scene.call.write("one");
  scene.call.write("x".repeat(2000 * KIB));
  expect(await scene.ended).toBe(8);
  expect(await stopped.promise).toMatchObject({ code: "CANCELLED" });
  expect(scene.received).toEqual(["one!"]);
});
