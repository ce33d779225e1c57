import { readFileSync } from "node:fs";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { cancelRequest, message, query, startup } from "./frontend.ts";
import { PATIENCE, TestServer } from "./test-server.ts";

const TRUST = { trustLoopback: true } as const;
const MEGABYTE = 1_048_576;

/** As /proc/net/tcp numbers the timers of a socket. */
const KEEP_ALIVE_TIMER = "02";
const NO_TIMER = "00";

test("messages reach the session whole, however they are cut", async () => {
  await using scene = await TestServer.start(TRUST);
  await using client = await scene.client();
  const messages = Buffer.concat([query("select 1"), message("S"), query("x".repeat(100_000))]);
  for (let at = 0; at < messages.length; at += 999) {
    client.send(messages.subarray(at, at + 999));
  }
  const { session } = scene.manager;
  await session.until(({ receivedBytes }) => receivedBytes === messages.length);
  expect(session.bytes.equals(messages)).toBe(true);
  for (const run of session.received) {
    expect(wholeMessages(run)).toBe(true);
  }
});

function wholeMessages(run: Buffer): boolean {
  let at = 0;
  while (at + 5 <= run.length) {
    at += run.readInt32BE(at + 1) + 1;
  }
  return at === run.length;
}

test("what a session writes in one turn arrives in order, small pieces and large ones", async () => {
  await using scene = await TestServer.start(TRUST);
  await using client = await scene.client();
  const { session } = scene.manager;
  const pieces = Array.from({ length: 500 }, (_, index) =>
    message("D", Buffer.alloc(index % 50 === 0 ? 20_000 : index, index)),
  );
  for (const piece of pieces) {
    session.client.write(piece);
  }
  const all = Buffer.concat(pieces);
  expect((await client.take(all.length)).equals(all)).toBe(true);
});

test("a client is not read while its session is behind", async () => {
  await using scene = await TestServer.start(TRUST);
  await using client = await scene.client();
  const { session } = scene.manager;
  await using other = await scene.client();
  const otherSession = scene.manager.sessions[1];
  session.takesMore = false;
  client.send(query("first"));
  await session.until(({ received }) => received.length === 1);
  const flood = query("x".repeat(MEGABYTE));
  for (let count = 0; count < 16; count += 1) {
    client.send(flood);
  }
  // Another client is read all the time, so there is time enough to read this one.
  for (let round = 1; round <= 50; round += 1) {
    other.send(query("other"));
    await otherSession?.until(({ received }) => received.length === round);
  }
  expect(session.receivedBytes).toBe(query("first").length);
  expect(client.socket.writableLength).toBeGreaterThan(0);
  session.takesMore = true;
  session.client.resume();
  const all = 16 * flood.length + query("first").length;
  await session.until(({ receivedBytes }) => receivedBytes === all);
});

test("a session is told when its client is behind, and when it has read", async () => {
  await using scene = await TestServer.start(TRUST);
  await using client = await scene.client();
  const { session } = scene.manager;
  client.socket.pause();
  const row = message("D", Buffer.alloc(MEGABYTE));
  let written = 0;
  while (session.client.write(row)) {
    written += 1;
    expect(written).toBeLessThan(100);
  }
  expect(session.drains).toBe(0);
  client.socket.resume();
  await session.until(({ drains }) => drains === 1);
});

test.each(["idle", "pinned"] as const)(
  "a message that is too long ends a session that is %s, in words",
  async (type) => {
    await using scene = await TestServer.start({ ...TRUST, maxMessageBytes: 2000 });
    await using client = await scene.client();
    const { session } = scene.manager;
    session.state = type === "idle" ? { type } : { type, reason: "Transaction", sinceMs: 0 };
    client.send(query("x".repeat(1994)), query("x".repeat(1995)), query("never"));
    expect(await client.answers()).toEqual([
      "FATAL 54000 message 'Q' of 2001 bytes is longer than the 2000 that are allowed",
    ]);
    await client.end();
    expect(session.receivedBytes).toBe(2000);
    expect(session.ends).toContain("now");
  },
);

test("a broken message waits for what runs, and the session has the last word", async () => {
  await using scene = await TestServer.start(TRUST);
  await using client = await scene.client();
  const { session } = scene.manager;
  session.state = { type: "running", sinceMs: 0 };
  client.send(query("select 1"), Buffer.from("Q\0\0\0\u0001"));
  expect(await client.answers()).toEqual(["FATAL 08P01 broken"]);
  await client.end();
});

test.each([
  ["sends Terminate", (_end: () => void, send: (bytes: Buffer) => void) => send(message("X"))],
  ["closes its side", (end: () => void) => end()],
])("the session ends when the client %s", async (_case, leave) => {
  await using scene = await TestServer.start(TRUST);
  await using client = await scene.client();
  leave(
    () => client.socket.end(),
    (bytes) => client.send(bytes),
  );
  expect(await client.end()).toBe("");
  client.socket.end();
  expect(scene.manager.session.isEnded).toBe(true);
  await expect
    .poll(() => scene.server.count, PATIENCE)
    .toEqual({ clients: 0, connections: 0, refused: 0 });
});

test("the session ends when the client breaks off, also while it does not read", async () => {
  await using scene = await TestServer.start(TRUST);
  await using client = await scene.client();
  const { session } = scene.manager;
  client.socket.pause();
  while (session.client.write(message("D", Buffer.alloc(MEGABYTE)))) {
    // Fills the system's buffers.
  }
  client.socket.resetAndDestroy();
  await session.until(({ isEnded }) => isEnded);
  expect(session.ends).toContain("now");
});

test("a client that reads its last message late still gets it", async () => {
  await using scene = await TestServer.start(TRUST);
  await using client = await scene.client();
  client.send(query("one"), query("that is never read"));
  const { session } = scene.manager;
  await session.until(({ received }) => received.length > 0);
  client.socket.pause();
  session.finish({ kind: "error", severity: "FATAL", code: "57P01", message: "gone" });
  client.socket.resume();
  expect(await client.answers()).toEqual(["FATAL 57P01 gone"]);
});

test("a client that is silent for too long is sent away, unless it is in a transaction", async () => {
  const clock = new ManualClock();
  await using scene = await TestServer.start({ ...TRUST, idleTimeoutMs: 8000, clock });
  await using silent = await scene.client();
  await using busy = await scene.client();
  await using inTransaction = await scene.client();
  const [, talking, pinned] = scene.manager.sessions;
  if (talking === undefined || pinned === undefined) {
    throw new Error("a session is missing");
  }
  pinned.state = { type: "pinned", reason: "Transaction", sinceMs: 0 };
  await clock.advance(5000);
  busy.send(query("select 1"));
  await talking.until(({ received }) => received.length === 1);
  await clock.advance(5000);
  expect(await silent.answers()).toEqual([
    "FATAL 57P05 terminating connection due to idle-session timeout",
  ]);
  expect([talking.isEnded, pinned.isEnded]).toEqual([false, false]);
  await clock.advance(5000);
  expect((await busy.answers())[0]).toContain("57P05");
  expect(inTransaction.received.length).toBe(0);
});

test("further clients are refused in words, and cancel requests still get through", async () => {
  await using scene = await TestServer.start({ ...TRUST, maxClients: 1, maxConnections: 2 });
  await using client = await scene.connect();
  client.send(startup());
  let key = await client.message();
  while (key.type !== "K") {
    key = await client.message();
  }
  await using refused = await scene.connect();
  refused.send(startup());
  expect(await refused.answers()).toEqual(["FATAL 53300 sorry, too many clients already"]);
  refused.socket.destroy();
  await expect.poll(() => scene.server.count.connections, PATIENCE).toBe(1);
  await using cancelling = await scene.connect();
  cancelling.send(cancelRequest(key.bytes.readInt32BE(5), key.bytes.subarray(9)));
  await scene.manager.session.until(({ cancels }) => cancels === 1);
  await cancelling.end();
});

test("connections beyond all places are closed, and the log says so", async () => {
  await using scene = await TestServer.start({ ...TRUST, maxClients: 1, maxConnections: 2 });
  const held = [await scene.connect(), await scene.connect()];
  await expect.poll(() => scene.server.count.connections, PATIENCE).toBe(2);
  await using dropped = await scene.connect();
  await dropped.end();
  expect(scene.server.count).toEqual({ clients: 0, connections: 2, refused: 1 });
  expect(scene.log).toContainEqual([
    "warn",
    "a connection of a client was refused: the limit is reached",
    { connections: 2 },
  ]);
  for (const { socket } of held) {
    socket.destroy();
  }
  await expect.poll(() => scene.server.count.connections, PATIENCE).toBe(0);
  await using client = await scene.client();
  expect(client.received.length).toBe(0);
});

test.runIf(process.platform === "linux").each([
  [60_000, KEEP_ALIVE_TIMER],
  [0, NO_TIMER],
])("keepAliveMs %i: TCP asks a client that is silent whether it is there", async (ms, timer) => {
  await using scene = await TestServer.start({ ...TRUST, keepAliveMs: ms });
  await using client = await scene.client();
  const ends = { local: scene.port, remote: client.socket.localPort ?? 0 };
  // Until the client's system has confirmed what came last, its timer is another one.
  await expect.poll(() => timerOf(ends)?.type, PATIENCE).toBe(timer);
  expect(timerOf(ends)?.ms).toBeLessThanOrEqual(ms);
});

/** What the system waits for at the server's end of a connection of IPv4, and how long. */
function timerOf({
  local,
  remote,
}: {
  local: number;
  remote: number;
}): { readonly type: string; readonly ms: number } | undefined {
  const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, "0");
  const ends = new RegExp(`:${hex(local)} \\w+:${hex(remote)} 01 \\S+ (\\w\\w):(\\w+)`);
  const [, type, ticks] = ends.exec(readFileSync("/proc/net/tcp", "utf8")) ?? [];
  // In hundredths of a second.
  return type === undefined || ticks === undefined
    ? undefined
    : { type, ms: Number.parseInt(ticks, 16) * 10 };
}

test.for([
  ["runs to its end behind a Terminate", [query("insert"), message("X")], []],
  ["is ended without one", [query("insert")], ["now"]],
  ["is ended behind what only looks like one", [message("d", "X\0\0\0\u0004")], ["now"]],
] as const)("what a client has sent when it closes %s", async ([, messages, ends]) => {
  await using scene = await TestServer.start(TRUST);
  await using client = await scene.client();
  const { session } = scene.manager;
  client.send(Buffer.concat(messages));
  await session.until(({ received }) => received.length > 0);
  // What it does not read any more holds nobody up.
  client.socket.pause();
  session.client.write(message("D", Buffer.alloc(64 * MEGABYTE)));
  client.socket.end();
  await session.until(({ drains }) => drains > 0);
  expect(session.ends).toEqual(ends);
  session.finish();
});
