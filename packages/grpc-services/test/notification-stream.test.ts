import { encodeNotification } from "@multipooler/query-service";
import type { ChannelChange, NotificationSink, Subscription } from "@multipooler/query-service";
import type { NotificationStreamResponse } from "@multipooler/proto/multipoolerservice";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { GrpcStatusError } from "../src/client/index.ts";
import type { NotificationStreamInput, RequestOptions } from "../src/client/index.ts";
import { FakePoolerError } from "./fake-manager.ts";
import { startServer } from "./test-server.ts";
import type { TestServer } from "./test-server.ts";

/** A subscription whose changes a test confirms. */
class FakeSubscription implements Subscription {
  readonly sink: NotificationSink;
  readonly changes: ChannelChange[] = [];
  readonly #confirmations: PromiseWithResolvers<void>[] = [];
  readonly ended = Promise.withResolvers<void>();
  #asked = Promise.withResolvers<void>();

  constructor(sink: NotificationSink) {
    this.sink = sink;
  }

  change(change: ChannelChange): Promise<void> {
    const confirmation = Promise.withResolvers<void>();
    this.changes.push(change);
    this.#confirmations.push(confirmation);
    this.#asked.resolve();
    this.#asked = Promise.withResolvers<void>();
    return confirmation.promise;
  }

  end(): void {
    this.ended.resolve();
  }

  /** Waits for a change, if none is to be confirmed. */
  async next(): Promise<PromiseWithResolvers<void>> {
    while (this.#confirmations.length === 0) {
      await this.#asked.promise;
    }
    return this.#confirmations.shift() ?? Promise.withResolvers<void>();
  }

  notify(channel: string, payload: string): Promise<void> | undefined {
    return this.sink.write(encodeNotification({ processId: 7, channel, payload }));
  }
}

/** The subscription that the next stream opens. */
function nextSubscription({ manager }: TestServer): Promise<FakeSubscription> {
  const { promise, resolve } = Promise.withResolvers<FakeSubscription>();
  manager.subscribe = (sink) => {
    const subscription = new FakeSubscription(sink);
    resolve(subscription);
    return subscription;
  };
  return promise;
}

/** A stream whose requests a test writes, one at a time, and whose first answer is awaited at once. */
class Call {
  readonly #requests = new PassThrough({ objectMode: true });
  readonly #messages: AsyncIterator<NotificationStreamResponse>;
  #next: Promise<IteratorResult<NotificationStreamResponse>>;

  constructor({ client }: TestServer, options: RequestOptions = {}) {
    const stream = client.notificationStream(this.#requests, options);
    this.#messages = stream[Symbol.asyncIterator]();
    this.#next = this.#messages.next();
    this.#next.catch(() => undefined);
  }

  write(request: NotificationStreamInput): void {
    this.#requests.write(request);
  }

  end(): void {
    this.#requests.end();
  }

  /** The next message; `undefined`: the stream has ended. */
  async read(): Promise<string | undefined> {
    const { value, done } = await this.#next;
    if (done === true) {
      return undefined;
    }
    this.#next = this.#messages.next();
    this.#next.catch(() => undefined);
    const { notification, ready } = value;
    return ready
      ? "ready"
      : `${notification?.pid} ${notification?.channel} ${notification?.payload}`;
  }
}

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  return await call.then(
    () => new Error("it should have failed"),
    (error: unknown) => error,
  );
}

test("each request is answered with one ready, when it is confirmed, and notifications in order", async () => {
  await using pooler = await startServer();
  const opened = nextSubscription(pooler);
  const call = new Call(pooler);
  call.write({ subscribeChannels: ["a", "b"] });
  const subscription = await opened;
  const confirmation = await subscription.next();
  // What comes with the confirmation, before anybody was told of that, comes after it.
  void subscription.notify("a", "1");
  confirmation.resolve();
  expect([await call.read(), await call.read()]).toEqual(["ready", "7 a 1"]);
  expect(subscription.notify("b", "2")).toBeUndefined();
  expect(subscription.notify("a", "")).toBeUndefined();
  expect([await call.read(), await call.read()]).toEqual(["7 b 2", "7 a "]);
  call.write({ unsubscribeAll: true, unsubscribeChannels: ["a"], subscribeChannels: ["c"] });
  call.write({});
  (await subscription.next()).resolve();
  (await subscription.next()).resolve();
  expect([await call.read(), await call.read()]).toEqual(["ready", "ready"]);
  expect(subscription.changes).toEqual([
    { unsubscribeAll: false, unsubscribe: [], subscribe: ["a", "b"] },
    { unsubscribeAll: true, unsubscribe: ["a"], subscribe: ["c"] },
    { unsubscribeAll: false, unsubscribe: [], subscribe: [] },
  ]);
  call.end();
  expect(await call.read()).toBeUndefined();
  await subscription.ended.promise;
});

test("requests are carried out one after the other", async () => {
  await using pooler = await startServer();
  const opened = nextSubscription(pooler);
  const call = new Call(pooler);
  call.write({ subscribeChannels: ["a"] });
  call.write({ subscribeChannels: ["b"] });
  const subscription = await opened;
  const first = await subscription.next();
  expect(subscription.changes).toHaveLength(1);
  first.resolve();
  expect(await call.read()).toBe("ready");
  (await subscription.next()).resolve();
  expect(await call.read()).toBe("ready");
});

test.each([
  ["cancels", undefined, "CANCELLED"],
  ["has a deadline that passes", 200, "DEADLINE_EXCEEDED"],
])(
  "a client that %s ends its subscription, also while a request waits",
  async (_, timeoutMs, code) => {
    await using pooler = await startServer();
    const opened = nextSubscription(pooler);
    const caller = new AbortController();
    const call = new Call(pooler, { signal: caller.signal, timeoutMs });
    call.write({ subscribeChannels: ["a"] });
    const subscription = await opened;
    await subscription.next();
    if (timeoutMs === undefined) {
      caller.abort();
    }
    expect(await failureOf(call.read())).toMatchObject({ code });
    await subscription.ended.promise;
  },
);

test.each([
  ["INVALID_ARGUMENT", "INVALID_ARGUMENT", undefined],
  ["PRE_EXECUTION_UNAVAILABLE", "UNKNOWN", "57P03"],
  ["POOL_EXHAUSTED", "UNKNOWN", "53300"],
] as const)("a request that is refused with %s ends the stream", async (code, status, sqlstate) => {
  await using pooler = await startServer();
  const opened = nextSubscription(pooler);
  const call = new Call(pooler);
  call.write({ subscribeChannels: [""] });
  const subscription = await opened;
  (await subscription.next()).reject(new FakePoolerError(code, "as told"));
  const failure = await failureOf(call.read());
  expect(failure).toMatchObject({ code: status });
  expect(failure instanceof GrpcStatusError && failure.diagnostic?.code).toBe(sqlstate);
  await subscription.ended.promise;
});

test("a client that was too slow is the end of its stream", async () => {
  await using pooler = await startServer();
  const opened = nextSubscription(pooler);
  const call = new Call(pooler);
  call.write({ subscribeChannels: ["a"] });
  const subscription = await opened;
  (await subscription.next()).resolve();
  expect(await call.read()).toBe("ready");
  subscription.sink.ended(new FakePoolerError("SUBSCRIBER_BEHIND", "as told"));
  const expected = { code: "RESOURCE_EXHAUSTED", diagnostic: { code: "53400" } };
  expect(await failureOf(call.read())).toMatchObject(expected);
});

test.each(["CONNECTION_LOST", "NOT_SERVING", "NOT_OPEN"] as const)(
  "a stream outlives a subscription that a primary has lost (%s)",
  async (code) => {
    await using pooler = await startServer();
    const opened = nextSubscription(pooler);
    const call = new Call(pooler);
    call.write({ subscribeChannels: ["a", "b"] });
    call.write({ unsubscribeChannels: ["b"], subscribeChannels: ["c"] });
    const lost = await opened;
    (await lost.next()).resolve();
    (await lost.next()).resolve();
    expect([await call.read(), await call.read()]).toEqual(["ready", "ready"]);
    const openedAgain = nextSubscription(pooler);
    lost.sink.ended(new FakePoolerError(code, "as told"));
    call.write({ subscribeChannels: ["d"] });
    const next = await openedAgain;
    (await next.next()).resolve();
    // What was asked for meanwhile is confirmed when it is true.
    (await next.next()).resolve();
    expect(await call.read()).toBe("ready");
    expect(next.changes).toMatchObject([{ subscribe: ["a", "c"] }, { subscribe: ["d"] }]);
    void next.notify("a", "after");
    expect(await call.read()).toBe("7 a after");
    call.end();
    expect(await call.read()).toBeUndefined();
    await next.ended.promise;
  },
);

test("a request that the connection breaks under is made on the next one", async () => {
  await using pooler = await startServer();
  const opened = nextSubscription(pooler);
  const call = new Call(pooler);
  call.write({ subscribeChannels: ["a"] });
  const lost = await opened;
  const confirmation = await lost.next();
  const reason = new FakePoolerError("CONNECTION_LOST", "as told");
  const openedAgain = nextSubscription(pooler);
  lost.sink.ended(reason);
  confirmation.reject(reason);
  const broken = await openedAgain;
  const openedLast = nextSubscription(pooler);
  broken.sink.ended(reason);
  (await broken.next()).reject(reason);
  await broken.ended.promise;
  const last = await openedLast;
  (await last.next()).resolve();
  (await last.next()).resolve();
  expect(await call.read()).toBe("ready");
  expect(last.changes).toMatchObject([{ subscribe: [] }, { subscribe: ["a"] }]);
});

test("a stream that ends while its subscription is lost leaves none", async () => {
  await using pooler = await startServer();
  const opened = nextSubscription(pooler);
  const caller = new AbortController();
  const call = new Call(pooler, { signal: caller.signal });
  call.write({ subscribeChannels: ["a"] });
  const lost = await opened;
  (await lost.next()).resolve();
  expect(await call.read()).toBe("ready");
  const openedAgain = nextSubscription(pooler);
  lost.sink.ended(new FakePoolerError("CONNECTION_LOST", "as told"));
  const next = await openedAgain;
  await next.next();
  caller.abort();
  expect(await failureOf(call.read())).toMatchObject({ code: "CANCELLED" });
  await next.ended.promise;
  expect(pooler.log.filter(([level]) => level === "error")).toEqual([]);
});

test.each(["NOT_SERVING", "NOT_OPEN"] as const)(
  "a pooler that is no primary any more (%s) ends the stream without an error",
  async (code) => {
    await using pooler = await startServer();
    const opened = nextSubscription(pooler);
    const call = new Call(pooler);
    call.write({ subscribeChannels: ["a"] });
    const subscription = await opened;
    (await subscription.next()).resolve();
    expect(await call.read()).toBe("ready");
    pooler.manager.change({ type: "REPLICA" });
    subscription.sink.ended(new FakePoolerError(code, "it stops"));
    expect(await call.read()).toBeUndefined();
  },
);

test("a server that closes ends the streams, and waits for none", async () => {
  await using pooler = await startServer();
  const opened = nextSubscription(pooler);
  const call = new Call(pooler);
  const ended = call.read();
  const subscription = await opened;
  await pooler.server.close({ signal: AbortSignal.timeout(2000) });
  expect(await ended).toBeUndefined();
  await subscription.ended.promise;
});

test.each([
  ["that does not listen", new FakePoolerError("NOT_SERVING", "a replica"), "MTF01"],
  ["without notifications", new FakePoolerError("UNIMPLEMENTED", "not here"), undefined],
])("a controller %s refuses the stream", async (_, error, sqlstate) => {
  await using pooler = await startServer();
  pooler.manager.change({ type: "REPLICA" });
  pooler.manager.subscribe = () => {
    throw error;
  };
  const call = new Call(pooler);
  const failure = await failureOf(call.read());
  expect(failure).toMatchObject({ code: sqlstate === undefined ? "UNIMPLEMENTED" : "UNKNOWN" });
  expect(failure instanceof GrpcStatusError && failure.diagnostic?.code).toBe(sqlstate);
});

test("a client that does not read is said to be behind, and gets everything when it reads", async () => {
  await using pooler = await startServer();
  const opened = nextSubscription(pooler);
  const call = new Call(pooler);
  call.write({ subscribeChannels: ["a"] });
  const subscription = await opened;
  (await subscription.next()).resolve();
  const payload = "x".repeat(8000);
  let sent = 0;
  let behind: Promise<void> | undefined;
  while (behind === undefined) {
    expect(sent).toBeLessThan(10_000);
    behind = subscription.notify("a", `${sent} ${payload}`);
    sent += 1;
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  expect(await call.read()).toBe("ready");
  for (let index = 0; index < sent; index += 1) {
    expect(await call.read()).toBe(`7 a ${index} ${payload}`);
  }
  await behind;
});
