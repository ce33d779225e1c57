import { connect } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { setImmediate } from "node:timers/promises";
import {
  ManagerHealthStreamRequest,
  ManagerHealthStreamResponse,
  SnapshotTrigger,
} from "@multipooler/proto/manager-v1";
import type { ManagerHealthSnapshot } from "@multipooler/proto/manager-v1";
import { expect, test } from "vitest";
import { GrpcStatusError } from "../src/client/index.ts";
import type { ManagerHealthStreamInput, PoolerClient } from "../src/client/index.ts";
import { startServer } from "./test-server.ts";

const PATH = "/multipooler.v1.MultiPoolerManager/ManagerHealthStream";
const { SNAPSHOT_TRIGGER_INITIAL, SNAPSHOT_TRIGGER_BROADCAST } = SnapshotTrigger;
const { SNAPSHOT_TRIGGER_POLL, SNAPSHOT_TRIGGER_HEARTBEAT } = SnapshotTrigger;
const WINDOW_BYTES = 65_535;
const START: ManagerHealthStreamInput = { message: { $case: "start", value: {} } };
const POLL: ManagerHealthStreamInput = { message: { $case: "poll", value: {} } };

type Answers = AsyncIterator<ManagerHealthStreamResponse, void, void>;

/** A stream that stays open until its reader leaves, and what its caller sends further. */
function openStream(
  client: PoolerClient,
  start: ManagerHealthStreamInput = START,
): { readonly answers: Answers; readonly poll: () => void } {
  let poll = Promise.withResolvers<void>();
  async function* requests(): AsyncGenerator<ManagerHealthStreamInput, void, void> {
    yield start;
    for (;;) {
      await poll.promise;
      poll = Promise.withResolvers();
      yield POLL;
    }
  }
  const answers = client.managerHealthStream(requests())[Symbol.asyncIterator]();
  return { answers, poll: () => poll.resolve() };
}

async function snapshotOf(answers: Answers): Promise<ManagerHealthSnapshot> {
  const { value } = await answers.next();
  if (value?.message?.$case !== "snapshot") {
    throw new TypeError(`no snapshot: ${JSON.stringify(value)}`);
  }
  return value.message.value;
}

async function* only(request: ManagerHealthStreamInput): AsyncGenerator<ManagerHealthStreamInput> {
  yield request;
}

test("the stream tells its times, the status at once, each change, and what is asked for", async () => {
  await using pooler = await startServer();
  const { answers, poll } = openStream(pooler.client);
  expect((await answers.next()).value).toEqual({
    message: {
      $case: "start",
      value: {
        snapshotInterval: { seconds: 5n, nanos: 0 },
        stalenessTimeout: { seconds: 90n, nanos: 0 },
      },
    },
  });
  const first = await snapshotOf(answers);
  expect(first).toMatchObject({
    trigger: SNAPSHOT_TRIGGER_INITIAL,
    timeout: { seconds: 90n, nanos: 0 },
    status: await pooler.client.status(),
  });
  expect(Date.now() - (first.capturedAt?.getTime() ?? 0)).toBeLessThan(10_000);

  const before = performance.now();
  pooler.manager.change({ ready: false, notReadyReason: "PostgreSQL is away" });
  expect(await snapshotOf(answers)).toMatchObject({
    trigger: SNAPSHOT_TRIGGER_BROADCAST,
    status: { ready: false, notReadyReason: "PostgreSQL is away" },
  });
  expect(performance.now() - before).toBeLessThan(1000);

  poll();
  expect(await snapshotOf(answers)).toMatchObject({ trigger: SNAPSHOT_TRIGGER_POLL });
  await answers.return?.();
});

test("without a change a snapshot comes at the interval that was asked for", async () => {
  await using pooler = await startServer();
  const { answers } = openStream(pooler.client, {
    message: { $case: "start", value: { snapshotInterval: { nanos: 100_000_000 } } },
  });
  await answers.next();
  await snapshotOf(answers);
  expect(await snapshotOf(answers)).toMatchObject({ trigger: SNAPSHOT_TRIGGER_HEARTBEAT });
  expect(await snapshotOf(answers)).toMatchObject({ trigger: SNAPSHOT_TRIGGER_HEARTBEAT });
  await answers.return?.();
});

const seconds = (count: number): { seconds: bigint; nanos: number } => ({
  seconds: BigInt(Math.floor(count)),
  nanos: Math.round((count % 1) * 1_000_000_000),
});

/** What is asked for and what holds: interval and staleness in seconds. */
const TIMES: Readonly<Record<string, { asked: [number, number]; held: [number, number] }>> = {
  "0 is the default": { asked: [0, 0], held: [5, 90] },
  "what can be kept": { asked: [1, 30], held: [1, 30] },
  "an interval that is too short": { asked: [0.001, 30], held: [0.1, 30] },
  "an interval that two lost messages would be too many for": { asked: [60, 30], held: [10, 30] },
  "a staleness that is too short": { asked: [1, 0.001], held: [0.1, 0.3] },
  "a staleness that is too long": { asked: [5, 1_000_000], held: [5, 86_400] },
};

test.each(Object.entries(TIMES))("times: %s", async (_what, { asked, held }) => {
  await using pooler = await startServer();
  const value = { snapshotInterval: seconds(asked[0]), stalenessTimeout: seconds(asked[1]) };
  const { answers } = openStream(pooler.client, { message: { $case: "start", value } });
  expect((await answers.next()).value).toEqual({
    message: {
      $case: "start",
      value: { snapshotInterval: seconds(held[0]), stalenessTimeout: seconds(held[1]) },
    },
  });
  await answers.return?.();
});

const REFUSED: Readonly<Record<string, ManagerHealthStreamInput>> = {
  "the first message of a health stream must be its start": POLL,
  "snapshot_interval is -1000 ms; it must not be negative": {
    message: { $case: "start", value: { snapshotInterval: { seconds: -1n } } },
  },
  "staleness_timeout is -1000 ms; it must not be negative": {
    message: { $case: "start", value: { stalenessTimeout: { seconds: -1n } } },
  },
};

test.each(Object.entries(REFUSED))("refused: %s", async (words, request) => {
  await using pooler = await startServer();
  const { answers } = openStream(pooler.client, request);
  const error = await answers.next().catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(GrpcStatusError);
  expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(String(error)).toContain(words);
  expect(pooler.manager.watchers).toBe(0);
});

test("a stream is sent to on when its caller has sent its last request", async () => {
  await using pooler = await startServer();
  const answers = pooler.client.managerHealthStream(only(START))[Symbol.asyncIterator]();
  await answers.next();
  await snapshotOf(answers);
  pooler.manager.change({ ready: false });
  expect(await snapshotOf(answers)).toMatchObject({ status: { ready: false } });
  await answers.return?.();
});

test("a cancelled stream leaves nothing", async () => {
  await using pooler = await startServer();
  const streams = Array.from({ length: 50 }, () => openStream(pooler.client));
  await Promise.all(
    streams.map(async ({ answers }) => {
      await answers.next();
      await snapshotOf(answers);
    }),
  );
  expect(pooler.manager.watchers).toBe(50);
  for (const { answers } of streams) {
    await answers.return?.();
  }
  await expect.poll(() => pooler.manager.watchers).toBe(0);
});

test("the server's end is an ordinary end of the stream", async () => {
  await using pooler = await startServer();
  const { answers } = openStream(pooler.client);
  await answers.next();
  await snapshotOf(answers);
  await pooler.server.close();
  expect(await answers.next()).toEqual({ done: true, value: undefined });
  expect(pooler.manager.watchers).toBe(0);
});

/** A caller whose connection takes nothing until {@link read} is called. */
class DeafCaller implements Disposable {
  readonly #session: ClientHttp2Session;
  readonly #stream: ClientHttp2Stream;
  #received: Buffer = Buffer.alloc(0);

  constructor(address: string) {
    // HTTP/2 lets the server send nothing on a stream without a window.
    this.#session = connect(`http://${address}`, { settings: { initialWindowSize: 0 } });
    this.#stream = this.#session.request({
      ":method": "POST",
      ":path": PATH,
      "content-type": "application/grpc",
      te: "trailers",
    });
    this.#stream.on("data", (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes]);
    });
    this.#stream.on("error", () => {});
    const start = ManagerHealthStreamRequest.fromPartial(START);
    const message = ManagerHealthStreamRequest.encode(start).finish();
    const header = Buffer.alloc(5);
    header.writeUInt32BE(message.byteLength, 1);
    this.#stream.write(Buffer.concat([header, message]));
  }

  /** Resolves when the server knows how much it may send. */
  async takeAtMost(initialWindowSize: number): Promise<void> {
    const known = Promise.withResolvers<void>();
    this.#session.settings({ initialWindowSize }, () => known.resolve());
    await known.promise;
  }

  /** What has arrived: frames of a flag, a length and a message. */
  messages(): ManagerHealthStreamResponse[] {
    const found: ManagerHealthStreamResponse[] = [];
    for (let at = 0; at + 5 <= this.#received.byteLength;) {
      const end = at + 5 + this.#received.readUInt32BE(at + 1);
      if (end > this.#received.byteLength) {
        break;
      }
      found.push(ManagerHealthStreamResponse.decode(this.#received.subarray(at + 5, end)));
      at = end;
    }
    return found;
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
  }
}

test("a thousand changes cost a reader that takes nothing one message, and then it gets the last", async () => {
  await using pooler = await startServer();
  using caller = new DeafCaller(pooler.address);
  await caller.takeAtMost(WINDOW_BYTES);
  await expect.poll(() => caller.messages().length).toBe(2);
  await caller.takeAtMost(0);
  for (let change = 0; change < 1000; change += 1) {
    pooler.manager.change({ notReadyReason: `change ${change}` });
    // So that each is looked at before the next one.
    await setImmediate();
  }
  expect(caller.messages()).toHaveLength(2);
  await caller.takeAtMost(WINDOW_BYTES);
  await expect.poll(() => reasonIn(caller.messages().at(-1))).toBe("change 999");
  expect(caller.messages().length).toBeLessThanOrEqual(4);
});

test("a reader that takes nothing does not hold up the server's end", async () => {
  await using pooler = await startServer();
  using caller = new DeafCaller(pooler.address);
  await caller.takeAtMost(WINDOW_BYTES);
  await expect.poll(() => caller.messages().length).toBe(2);
  await caller.takeAtMost(0);
  pooler.manager.change({ ready: false });
  const closed = pooler.server.close();
  await expect.poll(() => pooler.manager.watchers).toBe(0);
  await caller.takeAtMost(WINDOW_BYTES);
  await closed;
});

function reasonIn(message: ManagerHealthStreamResponse | undefined): string | undefined {
  return message?.message?.$case === "snapshot"
    ? message.message.value.status?.notReadyReason
    : undefined;
}
