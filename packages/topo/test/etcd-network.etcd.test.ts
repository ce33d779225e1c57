import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ManualClock } from "@multipooler/timing/testing";
import { startEtcd } from "@multipooler/embedded-etcd";
import type { EmbeddedEtcd } from "@multipooler/embedded-etcd";
import { TcpProxy } from "@multipooler/tcp-proxy";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EtcdBackend } from "../src/etcd/index.ts";
import { TopoErrorCode, Topology } from "../src/index.ts";
import type { KeyEvent, KeyValueStore } from "../src/index.ts";

let etcd: EmbeddedEtcd;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd[Symbol.asyncDispose]());

/** A client beside the network that a test breaks, and one behind it. */
async function clients(): Promise<
  AsyncDisposable & {
    readonly proxy: TcpProxy;
    readonly beside: KeyValueStore;
    readonly behind: KeyValueStore;
  }
> {
  const proxy = await TcpProxy.before(etcd.port);
  const beside = new EtcdBackend().connect([etcd.address]);
  const behind = new EtcdBackend().connect([proxy.address]);
  return {
    proxy,
    beside,
    behind,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([beside.close(), behind.close()]);
      await proxy[Symbol.asyncDispose]();
    },
  };
}

test("a watch that is cut off in the middle of a long history misses nothing of it", async () => {
  await using network = await clients();
  const { proxy, beside, behind } = network;
  const reader = behind.watch("/long/")[Symbol.asyncIterator]();
  expect(await reader.next()).toMatchObject({ value: { type: "snapshot", entries: [] } });
  proxy.shut();
  expect(await reader.next()).toMatchObject({ value: { type: "interrupted" } });
  // etcd tells a history of this length in three answers.
  for (let batch = 0; batch < 25; batch += 1) {
    await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        beside.create(`/long/${batch}-${index}`, Buffer.alloc(1000)),
      ),
    );
  }
  proxy.mend();
  const told = new Set<string>();
  let cuts = 0;
  while (told.size < 2500) {
    const event = await nextEvent(reader);
    if (event.type !== "put") {
      continue;
    }
    told.add(event.entry.key);
    // Between one answer and the next, twice.
    if (told.size === 1 || told.size === 1001) {
      proxy.shut();
      proxy.mend();
      cuts += 1;
    }
  }
  expect(cuts).toBe(2);
  await reader.return?.();
});

test("a watch whose place in the history is forgotten tells what changed all the same", async () => {
  await using network = await clients();
  const { proxy, beside, behind } = network;
  await beside.create("/compact/goes", Buffer.from("1"));
  await beside.create("/compact/stays", Buffer.from("1"));
  await beside.create("/compact/changes", Buffer.from("1"));
  const reader = behind.watch("/compact/")[Symbol.asyncIterator]();
  expect(await reader.next()).toMatchObject({ value: { type: "snapshot" } });
  proxy.shut();
  expect(await reader.next()).toMatchObject({ value: { type: "interrupted" } });
  await beside.delete("/compact/goes");
  await beside.create("/compact/comes", Buffer.from("1"));
  await etcd.compact(await beside.put("/compact/changes", Buffer.from("2")));
  proxy.mend();
  expect(await reader.next()).toMatchObject({ value: { type: "resumed" } });
  const told: string[] = [];
  while (told.length < 3) {
    told.push(brief(await nextEvent(reader)));
  }
  expect(told.toSorted((a, b) => a.localeCompare(b))).toEqual([
    "delete /compact/goes",
    "put /compact/changes=2",
    "put /compact/comes=1",
  ]);
  await beside.put("/compact/stays", Buffer.from("3"));
  expect(brief(await nextEvent(reader))).toBe("put /compact/stays=3");
  await reader.return?.();
});

test("a watch of a server that comes back without its data tells what is gone, and goes on", async () => {
  await using doomed = await startEtcd();
  const store = new EtcdBackend().connect([doomed.address]);
  for (let round = 0; round < 20; round += 1) {
    await store.put("/wiped/key", Buffer.from("1"));
  }
  const reader = store.watch("/wiped/")[Symbol.asyncIterator]();
  expect(await reader.next()).toMatchObject({ value: { type: "snapshot", entries: [{}] } });
  await doomed.kill();
  expect(await reader.next()).toMatchObject({ value: { type: "interrupted" } });
  await rm(join(doomed.dataDir, "member"), { recursive: true });
  await doomed.start();
  expect(await reader.next()).toMatchObject({ value: { type: "resumed" } });
  expect(brief(await nextEvent(reader))).toBe("delete /wiped/key");
  await store.put("/wiped/key", Buffer.from("2"));
  expect(brief(await nextEvent(reader))).toBe("put /wiped/key=2");
  await reader.return?.();
  await store.close();
});

test("a watch sees what an emptied server lost, though its revisions have come past by then", async () => {
  await using doomed = await startEtcd();
  await using proxy = await TcpProxy.before(doomed.port);
  const behind = new EtcdBackend().connect([proxy.address]);
  const beside = new EtcdBackend().connect([doomed.address]);
  await beside.put("/wiped/lost", Buffer.from("1"));
  await beside.put("/wiped/changed", Buffer.from("1"));
  const reader = behind.watch("/wiped/")[Symbol.asyncIterator]();
  expect(await reader.next()).toMatchObject({ value: { type: "snapshot", entries: [{}, {}] } });
  proxy.shut();
  await doomed.kill();
  await rm(join(doomed.dataDir, "member"), { recursive: true });
  await doomed.start();
  await beside.put("/wiped/other", Buffer.from("1"));
  // At the revision that it had before.
  await beside.put("/wiped/changed", Buffer.from("2"));
  for (let round = 0; round < 20; round += 1) {
    await beside.put("/wiped/other", Buffer.from("1"));
  }
  proxy.mend();
  const told = new Set<string>();
  while (told.size < 3) {
    const event = await nextEvent(reader);
    if (event.type === "put" || event.type === "delete") {
      told.add(brief(event));
    }
  }
  expect(told).toEqual(
    new Set(["put /wiped/changed=2", "put /wiped/other=1", "delete /wiped/lost"]),
  );
  await reader.return?.();
  await Promise.all([behind.close(), beside.close()]);
});

test("a write whose answer is lost is unknown, and never taken for somebody else's", async () => {
  await using network = await clients();
  const { proxy, beside, behind } = network;
  await behind.get("/lost/key");
  const reader = beside.watch("/lost/")[Symbol.asyncIterator]();
  await reader.next();
  proxy.swallowAnswers();
  const write = behind.create("/lost/key", Buffer.from("mine"));
  const lost = expect(write).rejects.toMatchObject({
    code: TopoErrorCode.Unavailable,
    key: "/lost/key",
  });
  expect(brief(await nextEvent(reader))).toBe("put /lost/key=mine");
  proxy.shut();
  await lost;
  await reader.return?.();
});

test("a waiter for a lock whose place in the queue is unknown leaves it", async () => {
  await using network = await clients();
  const { proxy, beside } = network;
  const topology = new Topology({
    backend: new EtcdBackend(),
    serverAddresses: [proxy.address],
    root: "/place",
  });
  const session = await topology.global.openSession();
  const reader = beside.watch("/place/")[Symbol.asyncIterator]();
  await reader.next();
  proxy.swallowAnswers();
  const lock = topology.global.lock("path", { session, description: "test" });
  const failed = expect(lock).rejects.toMatchObject({ code: TopoErrorCode.Unavailable });
  expect(await nextEvent(reader)).toMatchObject({ type: "put" });
  proxy.shut();
  proxy.mend();
  expect(await nextEvent(reader)).toMatchObject({ type: "delete" });
  await failed;
  await reader.return?.();
  await topology.close();
});

test("when one endpoint is gone another one is used, by calls and by watches", async () => {
  await using first = await TcpProxy.before(etcd.port);
  await using second = await TcpProxy.before(etcd.port);
  const store = new EtcdBackend().connect([first.address, `http://${second.address}`]);
  await store.put("/endpoints/a", Buffer.from("1"));
  const reader = store.watch("/endpoints/")[Symbol.asyncIterator]();
  expect(await reader.next()).toMatchObject({ value: { type: "snapshot" } });
  for (const lost of [first, second]) {
    lost.shut();
    expect(await reader.next()).toMatchObject({ value: { type: "interrupted" } });
    expect(await reader.next()).toMatchObject({ value: { type: "resumed" } });
    expect(await store.get("/endpoints/a")).toBeDefined();
    await store.put("/endpoints/b", Buffer.from("1"));
    expect(brief(await nextEvent(reader))).toBe("put /endpoints/b=1");
    await lost.unused();
    lost.mend();
  }
  await store.close();
});

test("a server that does not answer is not waited for longer than the signal says, or 10 s", async () => {
  const clock = new ManualClock();
  await using proxy = await TcpProxy.before(etcd.port);
  const store = new EtcdBackend({ clock }).connect([proxy.address]);
  await store.put("/paused/key", Buffer.from("1"));
  etcd.pause();
  try {
    const controller = new AbortController();
    const aborted = store.get("/paused/key", { signal: controller.signal });
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ code: TopoErrorCode.Interrupted });
    const late = expect(store.get("/paused/key")).rejects.toMatchObject({
      code: TopoErrorCode.Timeout,
    });
    await clock.advance(10_000);
    await late;
    const closed = expect(store.get("/paused/key")).rejects.toMatchObject({
      code: TopoErrorCode.Interrupted,
    });
    await store.close();
    await closed;
  } finally {
    etcd.resume();
  }
  expect(clock.pending).toBe(0);
  await proxy.unused();
});

test("a closed store leaves no connection", async () => {
  await using proxy = await TcpProxy.before(etcd.port);
  const store = new EtcdBackend().connect([proxy.address]);
  const session = await store.openSession();
  const reader = store.watch("/closed/")[Symbol.asyncIterator]();
  await reader.next();
  const waiting = expect(reader.next()).rejects.toMatchObject({ code: TopoErrorCode.Interrupted });
  await store.close();
  await waiting;
  expect(session.signal.aborted).toBe(true);
  await proxy.unused();
});

test("a store that is closed while it connects leaves no connection", async () => {
  await using proxy = await TcpProxy.before(etcd.port);
  const store = new EtcdBackend().connect([proxy.address]);
  const connecting = store.get("/closed/key");
  await store.close();
  await expect(connecting).rejects.toMatchObject({ code: TopoErrorCode.Interrupted });
  await proxy.unused();
});

async function nextEvent(reader: AsyncIterator<KeyEvent>): Promise<KeyEvent> {
  const result = await reader.next();
  if (result.done === true) {
    throw new Error("the watch has ended");
  }
  return result.value;
}

function brief(event: KeyEvent): string {
  if (event.type === "delete") {
    return `delete ${event.key}`;
  }
  if (event.type !== "put") {
    return event.type;
  }
  return `put ${event.entry.key}=${Buffer.from(event.entry.value).toString()}`;
}
