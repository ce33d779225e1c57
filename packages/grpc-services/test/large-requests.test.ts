import { encodeCommandTag } from "@multipooler/query-service";
import { expect, test } from "vitest";
import type { FakeManager } from "./fake-manager.ts";
import { SendingClient } from "./sending-client.ts";
import { startServer } from "./test-server.ts";
import type { TestServer } from "./test-server.ts";

const MIB = 1_048_576;
/** Two requests of one MiB arrive at once. */
const LIMITS = { maxMessageBytes: 2 * MIB, maxReceivingBytes: 2 * MIB + 1024 };
const POLL = { interval: 5, timeout: 10_000 };
const COMPLETE = { type: "complete", bytes: encodeCommandTag("SELECT 1") } as const;

/** Resolves when `count` requests have reached the controller. */
async function executed(manager: FakeManager, count: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let seen = 0;
  manager.execute = async (_request, sink) => {
    await sink.write(COMPLETE);
    if (++seen === count) {
      resolve();
    }
  };
  await promise;
}

/** Lets requests arrive until `waiting` of them wait. */
async function untilWaiting(pooler: TestServer, waiting: number): Promise<void> {
  await expect.poll(() => pooler.server.receiving.waiting, POLL).toBe(waiting);
}

test("large requests past the limit are not read until others are through", async () => {
  await using pooler = await startServer(LIMITS);
  const all = executed(pooler.manager, 6);
  using client = new SendingClient(pooler.address);
  const requests = Array.from({ length: 6 }, () => client.request(MIB));
  for (const request of requests.slice(0, 2)) {
    request.send(MIB / 2);
  }
  await expect.poll(() => pooler.server.receiving.bytes, POLL).toBeGreaterThan(2 * MIB);
  for (const request of requests.slice(2)) {
    request.send();
  }
  await untilWaiting(pooler, 4);
  expect(pooler.server.receiving.bytes).toBeLessThanOrEqual(LIMITS.maxReceivingBytes);
  for (const request of requests.slice(0, 2)) {
    request.send();
  }
  await all;
  for (const request of requests) {
    expect(await request.status).toBe("0");
  }
  expect(pooler.server.receiving).toEqual({ bytes: 0, waiting: 0, refused: 0 });
});

test("small requests are answered while large ones wait, also on the same connection", async () => {
  await using pooler = await startServer(LIMITS);
  pooler.manager.execute = async (_request, sink) => {
    await sink.write(COMPLETE);
  };
  using client = new SendingClient(pooler.address);
  for (let request = 0; request < 10; request += 1) {
    client.request(MIB).send(MIB / 2);
  }
  await untilWaiting(pooler, 8);
  expect(await client.request(60_000).send().status).toBe("0");
  await pooler.client.executeQuery({ query: "select 1" });
  expect(pooler.server.receiving.waiting).toBe(8);
});

test.each(["in the middle", "before it says that nothing follows"])(
  "a client that stalls %s of a large request is refused, and the next one is read",
  async (where) => {
    await using pooler = await startServer({ ...LIMITS, receiveTimeoutMs: 1500 });
    const next = executed(pooler.manager, 1);
    using stalling = new SendingClient(pooler.address);
    const stalled = [stalling.request(MIB), stalling.request(MIB)];
    for (const request of stalled) {
      if (where === "in the middle") {
        request.send(MIB / 2);
      } else {
        request.sendOpenEnded();
      }
    }
    await expect.poll(() => pooler.server.receiving.bytes, POLL).toBeGreaterThan(MIB);
    using client = new SendingClient(pooler.address);
    const request = client.request(MIB).send();
    await next;
    expect(await Promise.all(stalled.map(({ status }) => status))).toEqual(["4", "4"]);
    expect(await request.status).toBe("0");
    await expect.poll(() => pooler.server.receiving.bytes, POLL).toBe(0);
  },
);

test.each(["cancels", "goes away"])(
  "a client that %s in the middle of large requests gives its place to others",
  async (how) => {
    await using pooler = await startServer(LIMITS);
    const next = executed(pooler.manager, 1);
    using leaving = new SendingClient(pooler.address);
    const left = Array.from({ length: 5 }, () => leaving.request(MIB).send(MIB / 2));
    await untilWaiting(pooler, 3);
    using client = new SendingClient(pooler.address);
    client.request(MIB).send();
    await untilWaiting(pooler, 4);
    if (how === "cancels") {
      for (const request of left) {
        request.cancel();
      }
    } else {
      leaving[Symbol.dispose]();
    }
    await next;
    await expect
      .poll(() => pooler.server.receiving, POLL)
      .toEqual({ bytes: 0, waiting: 0, refused: 0 });
  },
);

test("a deadline passes also for a large request that waits", async () => {
  await using pooler = await startServer(LIMITS);
  using client = new SendingClient(pooler.address);
  client.request(MIB).send(MIB / 2);
  client.request(MIB).send(MIB / 2);
  await expect.poll(() => pooler.server.receiving.bytes, POLL).toBeGreaterThan(2 * MIB);
  const call = pooler.client.executeQuery({ query: "x".repeat(MIB) }, { timeoutMs: 300 });
  await expect(call).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
  await expect.poll(() => pooler.server.receiving.waiting, POLL).toBe(0);
});

test("a second message is refused where one is expected", async () => {
  await using pooler = await startServer(LIMITS);
  using client = new SendingClient(pooler.address);
  const request = client.request(10).sendOpenEnded().sendAgain();
  expect(await request.status).toBe("12");
  await expect.poll(() => pooler.server.receiving.bytes, POLL).toBe(0);
});

test("requests are turned away when too many wait", async () => {
  await using pooler = await startServer(LIMITS);
  using client = new SendingClient(pooler.address);
  const waitingAtMost = Math.floor(LIMITS.maxReceivingBytes / 2 / 131_072);
  const requests = Array.from({ length: waitingAtMost + 3 }, () =>
    client.request(MIB).send(70_000),
  );
  expect(await requests.at(-1)?.status).toBe("8");
  expect(pooler.server.receiving).toMatchObject({ waiting: waitingAtMost, refused: 1 });
});

test("a limit below the largest message is refused", async () => {
  const limits = { maxMessageBytes: MIB, maxReceivingBytes: MIB - 1 };
  await expect(startServer(limits)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message:
      "maxReceivingBytes must be a whole number from 1048576, the largest message, not 1048575",
  });
});
