import { PgwireError, PgwireErrorCode } from "@multipooler/pgwire";
import { encodeNotification, PoolerErrorCode } from "@multipooler/query-service";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { CountingShare } from "../../test/counting-share.ts";
import type { FakeBackend, FakeRequest } from "../../test/fake-backend.ts";
import { FakeServer, unreachable } from "../../test/fake-server.ts";
import { failureOf, settled } from "../../test/settled.ts";
import { silentLogger } from "../../test/silent-logger.ts";
import { changeOf, RecordingSubscriber } from "../../test/subscriber.ts";
import { MultiPoolerError } from "../error.ts";
import type { PoolerEvent } from "../pooler-event.ts";
import type { ProcessActivity } from "../pool/silence-watch.ts";
import { NotificationListener } from "./notification-listener.ts";

class Scene implements AsyncDisposable {
  readonly clock: ManualClock = new ManualClock();
  readonly server: FakeServer = new FakeServer();
  readonly share: CountingShare = new CountingShare(2);
  readonly suspicions: string[] = [];
  readonly events: PoolerEvent[] = [];
  /** What the server says of the process that listens. */
  activity: ProcessActivity | undefined = { processId: 4711, idleMs: undefined };
  readonly ended: number[] = [];
  /** Whether statements leave a place in the budget. */
  hasRoom = true;
  encoding: string | undefined = "UTF8";
  readonly listener: NotificationListener = new NotificationListener({
    openBackend: this.server.open,
    openShare: () => (this.hasRoom ? { share: this.share, end: () => undefined } : undefined),
    capacity: 2,
    clock: this.clock,
    random: () => 0,
    maxNotificationBytes: 1000,
    processes: {
      activities: () => Promise.resolve(this.activity === undefined ? [] : [this.activity]),
      endIdle: ({ processId }) => {
        this.ended.push(processId);
        return Promise.resolve();
      },
    },
    serverEncoding: () => this.encoding,
    admit: () => undefined,
    suspect: ({ message }) => this.suspicions.push(message),
    onEvent: (event) => this.events.push(event),
    logger: silentLogger,
  });

  /** The connection that listens; a change that waits for it has asked it something. */
  async accept(): Promise<FakeBackend> {
    await settled();
    const [dial] = this.server.dials;
    if (dial === undefined) {
      throw new Error("nobody dials");
    }
    const backend = dial.accept();
    await settled();
    return backend;
  }

  /** A subscriber of `channels`, confirmed. */
  async subscribed(...channels: string[]): Promise<[RecordingSubscriber, FakeBackend]> {
    const one = new RecordingSubscriber(this.listener);
    const confirmed = one.subscribe(...channels);
    const backend = this.server.live.at(-1) ?? (await this.accept());
    last(backend).succeed();
    await confirmed;
    return [one, backend];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.listener.close();
    expect(this.clock.pending).toBe(0);
    expect(this.share.used).toBe(0);
    expect(this.share.isWatched).toBe(false);
    expect(this.server.live).toEqual([]);
  }
}

function last({ requests }: FakeBackend): FakeRequest {
  const request = requests.at(-1);
  if (request === undefined) {
    throw new Error("nothing was asked");
  }
  return request;
}

function send(backend: FakeBackend, channel: string, payload = ""): void {
  backend.onUnasked?.(encodeNotification({ processId: 7, channel, payload }));
}

test("a change is confirmed when the server has answered, and counts from that moment", async () => {
  await using scene = new Scene();
  const one = new RecordingSubscriber(scene.listener);
  let isConfirmed = false;
  const confirmed = one.subscribe("a", 'b"c').then(() => (isConfirmed = true));
  const backend = await scene.accept();
  expect(last(backend).sql).toBe('LISTEN "a"; LISTEN "b""c"');
  send(backend, "a", "early");
  await settled();
  expect(isConfirmed).toBe(false);
  // Both in one turn, as they come in one chunk of the socket.
  last(backend).succeed();
  send(backend, "a", "at once");
  await confirmed;
  expect(one.payloads).toEqual(["at once"]);
});

test("changes that come while the server answers go together, and each channel is told once", async () => {
  await using scene = new Scene();
  const [, backend] = await scene.subscribed("a");
  const all = Array.from({ length: 4 }, () => new RecordingSubscriber(scene.listener));
  const confirmed = all.map((one, index) => one.subscribe("a", "b", `own${index % 2}`));
  expect(last(backend).sql).toBe('LISTEN "b"; LISTEN "own0"');
  last(backend).succeed();
  await confirmed[0];
  expect(last(backend).sql).toBe('LISTEN "own1"');
  last(backend).succeed();
  await Promise.all(confirmed);
  expect(backend.requests).toHaveLength(3);
});

test("the server leaves a channel after its last subscriber, and not if another comes before", async () => {
  await using scene = new Scene();
  const [one, backend] = await scene.subscribed("a", "b");
  const [other] = await scene.subscribed("b");
  one.subscription.end();
  expect(last(backend).sql).toBe('UNLISTEN "a"');
  const back = other.subscribe("a");
  last(backend).succeed();
  await settled();
  expect(last(backend).sql).toBe('LISTEN "a"');
  last(backend).succeed();
  await back;
  const left = other.unsubscribe("a");
  expect(last(backend).sql).toBe("");
  const returned = other.subscribe("a");
  last(backend).succeed();
  await left;
  expect(last(backend).sql).toBe("");
  last(backend).succeed();
  await returned;
  send(backend, "a", "x");
  expect(other.payloads).toEqual(["x"]);
});

test("a channel that is left gets what was sent before the server has answered", async () => {
  await using scene = new Scene();
  const [one, backend] = await scene.subscribed("a");
  const left = one.unsubscribe("a");
  send(backend, "a", "before");
  last(backend).succeed();
  send(backend, "a", "after");
  await left;
  expect(one.payloads).toEqual(["before"]);
  expect(last(backend).sql).toBe('UNLISTEN "a"');
  last(backend).succeed();
});

test("the connection is closed some time after nobody listens, and opened again", async () => {
  await using scene = new Scene();
  const [one, backend] = await scene.subscribed("a");
  one.subscription.end();
  last(backend).succeed();
  await scene.clock.advance(9000);
  last(backend).succeed();
  expect(backend.hasEnded).toBe(false);
  await scene.clock.advance(1000);
  expect(backend.hasEnded).toBe(true);
  await settled();
  expect(scene.share.used).toBe(0);
  const [, next] = await scene.subscribed("a");
  expect(next).not.toBe(backend);
  expect(last(next).sql).toBe('LISTEN "a"');
});

test("leaving channels needs no connection where there is none", async () => {
  await using scene = new Scene();
  const one = new RecordingSubscriber(scene.listener);
  await one.unsubscribe("a");
  await one.subscription.change(changeOf({ unsubscribeAll: true }));
  expect(scene.server.dials).toEqual([]);
});

test("a dial that fails is repeated while somebody waits, with what the server says as the reason", async () => {
  await using scene = new Scene();
  const one = new RecordingSubscriber(scene.listener);
  const confirmed = one.subscribe("a");
  await settled();
  scene.server.dials[0]?.refuse(unreachable());
  await scene.clock.advance(100);
  const backend = await scene.accept();
  last(backend).succeed();
  await confirmed;
  const other = new RecordingSubscriber(scene.listener);
  backend.lose();
  await settled();
  const refused = failureOf(other.subscribe("a"));
  await settled();
  scene.server.dials[0]?.refuse(unreachable());
  await scene.clock.advance(8000);
  expect(await refused).toMatchObject({
    code: "PRE_EXECUTION_UNAVAILABLE",
    message: "nobody listens",
  });
  // Nobody waits any more.
  expect(scene.server.dials).toEqual([]);
});

test("how many listen is counted, and for how long nobody did after a loss", async () => {
  await using scene = new Scene();
  const [, backend] = await scene.subscribed("a", "b");
  expect(scene.listener.report()).toEqual({ channels: 2, subscribers: 1 });
  backend.lose();
  await settled();
  expect(scene.listener.report()).toEqual({ channels: 0, subscribers: 0 });
  scene.clock.step(700);
  const again = scene.subscribed("a");
  await again;
  expect(scene.events).toEqual([
    { type: "listenerLost" },
    { type: "listenerRestored", gapMs: 700 },
  ]);
});

test("what would not change is told at once", async () => {
  await using scene = new Scene();
  const one = new RecordingSubscriber(scene.listener);
  const refused = failureOf(one.subscribe("a"));
  const left = one.unsubscribe("b");
  await settled();
  const wrong = new MultiPoolerError(PoolerErrorCode.AuthenticationFailed, "the password is wrong");
  scene.server.dials[0]?.refuse(wrong);
  expect(await refused).toBe(wrong);
  await left;
  expect(one.ends).toEqual([]);
  await scene.subscribed("a");
});

test.each([
  ["the share", (scene: Scene) => (scene.share.limit = 0)],
  ["statements", (scene: Scene) => (scene.hasRoom = false)],
])("a place that %s does not have is waited for, within the limit", async (_, take) => {
  await using scene = new Scene();
  take(scene);
  const one = new RecordingSubscriber(scene.listener);
  const refused = failureOf(one.subscribe("a"));
  await settled();
  await scene.clock.advance(8000);
  expect(await refused).toMatchObject({ code: "POOL_EXHAUSTED" });
  const waiting = one.subscribe("a");
  await settled();
  scene.hasRoom = true;
  scene.share.limit = 1;
  await scene.clock.advance(100);
  last(await scene.accept()).succeed();
  await waiting;
});

test("a server that does not answer a change lets it down, and it is not made later", async () => {
  await using scene = new Scene();
  const one = new RecordingSubscriber(scene.listener);
  const refused = failureOf(one.subscribe("a"));
  const backend = await scene.accept();
  await scene.clock.advance(8000);
  expect(await refused).toMatchObject({
    code: "PRE_EXECUTION_UNAVAILABLE",
    message: "the database did not confirm the channels within 8000 ms",
  });
  last(backend).succeed();
  send(backend, "a");
  expect(one.received).toEqual([]);
  expect(last(backend).sql).toBe('UNLISTEN "a"');
});

test("what PostgreSQL refuses is the error of the change, and nothing else ends", async () => {
  await using scene = new Scene();
  const [one, backend] = await scene.subscribed("a");
  const refused = failureOf(one.subscribe("b"));
  last(backend).fail(
    new PgwireError(PgwireErrorCode.Postgres, "cannot execute LISTEN during recovery", {
      diagnostic: {
        kind: "error",
        severity: "ERROR",
        code: "25006",
        message: "cannot execute LISTEN during recovery",
      },
    }),
  );
  expect(await refused).toMatchObject({ code: "READ_ONLY", diagnostic: { code: "25006" } });
  send(backend, "a", "still");
  expect(one.payloads).toEqual(["still"]);
});

test("a quiet server is asked for an answer, and only when it is quiet", async () => {
  await using scene = new Scene();
  const [, backend] = await scene.subscribed("a");
  backend.bytesReceived += 1;
  await scene.clock.advance(5000);
  expect(backend.requests).toHaveLength(1);
  await scene.clock.advance(5000);
  expect(last(backend).sql).toBe("");
  last(backend).succeed();
  await scene.clock.advance(4000);
  expect(backend.requests).toHaveLength(2);
});

test("a connection over which nothing comes any more is given up, and its process is ended", async () => {
  await using scene = new Scene();
  const [one, backend] = await scene.subscribed("a");
  scene.activity = { processId: 4711, idleMs: 60_000 };
  await scene.clock.advance(8000);
  expect(await one.end).toMatchObject({
    code: "CONNECTION_LOST",
    message: expect.stringMatching(/silent: its server process has nothing to do/),
  });
  expect(backend.hasEnded).toBe(true);
  expect(scene.ended).toEqual([4711]);
  expect(scene.suspicions).toHaveLength(1);
});

test("a server that is slow to answer is waited for", async () => {
  await using scene = new Scene();
  const [one, backend] = await scene.subscribed("a");
  await scene.clock.advance(60_000);
  expect(one.ends).toEqual([]);
  expect(backend.requests).toHaveLength(2);
  last(backend).succeed();
});

test("a notification that cannot be read ends the connection", async () => {
  await using scene = new Scene();
  const [one, backend] = await scene.subscribed("a");
  backend.onUnasked?.(Buffer.from("41000000050000", "hex"));
  expect(await one.end).toMatchObject({ code: "CONNECTION_LOST" });
  expect(backend.hasEnded).toBe(true);
});

test("a connection that breaks while it is asked refuses the change and ends what listens", async () => {
  await using scene = new Scene();
  const [one, backend] = await scene.subscribed("a");
  const other = new RecordingSubscriber(scene.listener);
  const refused = failureOf(other.subscribe("b"));
  backend.lose();
  expect(await refused).toMatchObject({ code: "CONNECTION_LOST" });
  expect(await one.end).toMatchObject({ code: "CONNECTION_LOST" });
  expect(other.ends).toEqual([]);
});

test("a subscriber may end itself and others while it is told something", async () => {
  await using scene = new Scene();
  const [one, backend] = await scene.subscribed("a");
  const [two] = await scene.subscribed("a");
  const write = one.write.bind(one);
  one.write = (message) => {
    one.subscription.end();
    two.subscription.end();
    return write(message);
  };
  send(backend, "a");
  send(backend, "a");
  expect(one.received).toHaveLength(1);
  expect(two.received).toEqual([]);
  expect(last(backend).sql).toBe('UNLISTEN "a"');
});

test("a subscription that is ended while a change waits refuses it", async () => {
  await using scene = new Scene();
  const one = new RecordingSubscriber(scene.listener);
  const refused = failureOf(one.subscribe("a"));
  one.subscription.end();
  expect(await refused).toMatchObject({ code: "CANCELLED" });
  await settled();
  expect(scene.server.dials).toEqual([]);
});

test("a subscription has so many channels, and not more", async () => {
  await using scene = new Scene();
  const names = (count: number): string[] => Array.from({ length: count }, (_, n) => `c${n}`);
  const [one, backend] = await scene.subscribed(...names(10_000));
  expect(await failureOf(one.subscribe("one more"))).toMatchObject({
    code: "INVALID_ARGUMENT",
    message: "a subscription has at most 10000 channels, and these would be 10001",
  });
  const same = one.subscribe(...names(10_000));
  last(backend).succeed();
  await same;
});

test.each([
  ["LATIN1", "é".repeat(40), /longer than 63 bytes.* LATIN1/],
  ["EUC_JP", "x".repeat(64), /EUC_JP/],
])("where a long name is cut off in %s is not guessed", async (encoding, name, message) => {
  await using scene = new Scene();
  scene.encoding = encoding;
  const one = new RecordingSubscriber(scene.listener);
  expect(await failureOf(one.subscribe(name))).toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringMatching(message),
  });
});
