import type { ResultEvent, ResultSink } from "@multipooler/query-service";
import { expect, test } from "vitest";
import { CallScene, COMPLETE, CUT } from "../../test/call-scene.ts";
import { FakeBackend } from "../../test/fake-backend.ts";
import { settled } from "../../test/settled.ts";
import { ShortRead } from "./short-reads.ts";

/** Longer than an interruption waits, for each of its steps. */
const GRACE_MS = 3000;

/** What is known of a statement that was short each time. */
function shortRead(): ShortRead {
  const read = new ShortRead();
  for (let run = 0; run < 16; run += 1) {
    read.ranAlone({ bytes: 10, tookMs: 0 });
  }
  return read;
}

function rows(byteLength: number): ResultEvent {
  return { type: "rows", bytes: Buffer.alloc(byteLength), rowCount: 1, inProgress: false };
}

/** Takes one event at a time, when it is let. */
class SlowSink implements ResultSink {
  readonly taken: ResultEvent[] = [];
  #next = Promise.withResolvers<void>();

  write(event: ResultEvent): Promise<void> {
    this.taken.push(event);
    this.#next = Promise.withResolvers();
    return this.#next.promise;
  }

  async take(): Promise<void> {
    this.#next.resolve();
    await settled();
  }

  async fail(error: Error): Promise<void> {
    this.#next.reject(error);
    await settled();
  }
}

test.each([
  ["known to be short shares its backend", shortRead(), "shareable"],
  ["seen for the first time has one alone", new ShortRead(), "exclusive"],
  ["that may not share has one alone", undefined, "exclusive"],
] as const)("a call %s", async (_, read, kind) => {
  const scene = new CallScene((request) => request.succeed());
  expect(await scene.run({ read })).toEqual({ type: "done" });
  expect([scene.call?.kind, scene.outcome]).toEqual([kind, "released"]);
});

test("it is known to be short when it has run often enough", async () => {
  const read = new ShortRead();
  for (let run = 0; run < 16; run += 1) {
    expect(read.isShort).toBe(false);
    await new CallScene((request) => request.succeed()).run({ read });
  }
  expect(read.isShort).toBe(true);
});

test("a slow run is not taken for a short one", async () => {
  const read = new ShortRead();
  for (let count = 0; count < 30; count += 1) {
    const scene = new CallScene();
    const run = scene.run({ read });
    await scene.clock.advance(5);
    scene.request(0).succeed();
    await run;
  }
  expect(read.isShort).toBe(false);
});

test("its backend never waits for a slow sink, which gets everything in its order", async () => {
  const scene = new CallScene();
  const sink = new SlowSink();
  const run = scene.run({ read: shortRead(), sink });
  const events = [rows(1), rows(2), COMPLETE];
  for (const event of events) {
    expect(scene.request(0).write(event)).toBeUndefined();
  }
  scene.request(0).succeed();
  await settled();
  expect([sink.taken, scene.outcome]).toEqual([[events[0]], "held"]);
  await sink.take();
  await sink.take();
  expect([sink.taken, scene.outcome]).toEqual([events, "held"]);
  await sink.take();
  expect(await run).toEqual({ type: "done" });
  expect(scene.outcome).toBe("released");
});

test("a sink that has caught up gets events at once again", async () => {
  const scene = new CallScene();
  const sink = new SlowSink();
  const run = scene.run({ read: shortRead(), sink });
  void scene.request(0).write(rows(1));
  await sink.take();
  void scene.request(0).write(COMPLETE);
  expect(sink.taken).toHaveLength(2);
  await sink.take();
  scene.request(0).succeed();
  expect(await run).toEqual({ type: "done" });
});

test("a sink that is too slow fails its call, and nothing that others have", async () => {
  const scene = new CallScene();
  const run = scene.run({ read: shortRead(), sink: new SlowSink() });
  for (let count = 0; count < 4; count += 1) {
    void scene.request(0).write(rows(100_000));
  }
  expect(scene.backend.cancels).toHaveLength(1);
  await scene.clock.advance(GRACE_MS);
  await settled();
  await scene.clock.advance(GRACE_MS);
  await settled();
  expect([scene.terminations, scene.backend.destroyedFor]).toEqual([[], undefined]);
  scene.request(0).succeed();
  expect(await run).toMatchObject({
    type: "failed",
    error: { code: "INVALID_ARGUMENT", diagnostic: { code: "53400" } },
  });
  expect(scene.outcome).toBe("released");
});

test.each(["while the answer comes", "when that is complete"])(
  "a sink that fails %s fails its call",
  async (when) => {
    const scene = new CallScene();
    const sink = new SlowSink();
    const run = scene.run({ read: shortRead(), sink });
    void scene.request(0).write(rows(1));
    void scene.request(0).write(COMPLETE);
    if (when === "when that is complete") {
      scene.request(0).succeed();
    }
    await sink.fail(new Error("the client is gone"));
    if (when === "while the answer comes") {
      scene.backend.cancels[0]?.resolve();
      scene.request(0).succeed();
    }
    expect(await run).toMatchObject({ type: "failed", error: { code: "CANCELLED" } });
    expect([sink.taken.length, scene.outcome]).toEqual([1, "released"]);
  },
);

test("a caller that gives up while its sink is behind is not waited for", async () => {
  const scene = new CallScene();
  const run = scene.run({ read: shortRead(), sink: new SlowSink() });
  void scene.request(0).write(rows(1));
  void scene.request(0).write(COMPLETE);
  scene.request(0).succeed();
  scene.controller.abort();
  expect(await run).toMatchObject({ type: "failed", error: { code: "CANCELLED" } });
  expect([scene.outcome, scene.backend.cancels]).toEqual(["released", []]);
});

test("a caller that gives up only asks for a cancel", async () => {
  const scene = new CallScene();
  const run = scene.run({ read: shortRead() });
  scene.controller.abort();
  expect(scene.backend.cancels).toHaveLength(1);
  await scene.clock.advance(GRACE_MS);
  await settled();
  await scene.clock.advance(GRACE_MS);
  await settled();
  expect([scene.terminations, scene.backend.destroyedFor]).toEqual([[], undefined]);
  scene.request(0).succeed();
  expect(await run).toMatchObject({ type: "failed", error: { code: "CANCELLED" } });
  expect(scene.outcome).toBe("released");
});

test.each(["alone", "after its caller gave up"])(
  "the pooler ends the process of what it cuts off %s",
  async (when) => {
    const scene = new CallScene();
    const run = scene.run({ read: shortRead() });
    if (when === "after its caller gave up") {
      scene.controller.abort();
    }
    scene.call?.cut(CUT);
    await scene.clock.advance(GRACE_MS);
    await settled();
    expect(scene.terminations).toHaveLength(1);
    scene.terminations[0]?.ended.resolve();
    await settled();
    expect(scene.backend.destroyedFor).toBeDefined();
    expect((await run).type).toBe("failed");
  },
);

test("a transaction that is left open costs the backend, which others would be inside of", async () => {
  const scene = new CallScene((request) => {
    scene.backend.transactionStatus = "T";
    request.succeed();
  });
  expect(await scene.run({ read: shortRead() })).toMatchObject({
    type: "failed",
    error: { code: "INTERNAL" },
  });
  expect(scene.outcome).toBe("discarded");
});

test("what was not sent runs on another backend", async () => {
  const scene = new CallScene();
  scene.backend.lose();
  const run = scene.run({ read: shortRead() });
  scene.backend = new FakeBackend((request) => request.succeed());
  expect(await run).toEqual({ type: "done" });
  expect(scene.submissions).toBe(2);
});
