import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import type { BackendConnection } from "../src/connection/backend-connection.ts";
import { cancelRequest } from "../src/connection/cancel-request.ts";
import type { RequestEnd } from "../src/connection/request.ts";
import type { SimpleQuery } from "../src/requests/simple-query.ts";
import { query } from "./ask.ts";
import type { Asked } from "./ask.ts";
import { commandComplete, greeting, readyForQuery } from "./backend-messages.ts";
import { RecordingSink } from "./recording-sink.ts";
import { ScriptedServer } from "./scripted-server.ts";
import type { Peer } from "./scripted-server.ts";
import { connectTo } from "./scripted-session.ts";

const done = Buffer.concat([commandComplete("DONE"), readyForQuery()]);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The first connection is a session, whose peer it gives away; `script` plays the others. */
async function serve(
  script: (peer: Peer, request: Buffer) => Promise<void> | void,
  session: (peer: Peer) => Promise<void> | void = (peer) => peer.clientEnd,
): Promise<ScriptedServer> {
  let connections = 0;
  return await ScriptedServer.start(async (peer) => {
    connections += 1;
    const isSession = connections === 1;
    const opening = await peer.untyped();
    if (isSession) {
      peer.write(greeting());
      await session(peer);
    } else {
      await script(peer, opening);
    }
  });
}

/** A query that the server is working on. */
async function start(connection: BackendConnection, sql = "q"): Promise<Asked> {
  const asked = query(sql, new RecordingSink());
  connection.send(asked.request);
  await turn();
  expect(connection.running).toBe(asked.request);
  return asked;
}

test("a cancel names the session by its key, and resolves when the server has closed", async () => {
  let handled = false;
  await using server = await serve((peer, request) => {
    expect(request).toEqual(Buffer.from("04d2162e000012670000032f", "hex"));
    handled = true;
    peer.socket.end();
  });
  const connection = await connectTo(server);
  const { request } = await start(connection);
  const { signal } = new AbortController();
  await connection.cancel(request, { signal });
  expect(handled).toBe(true);
  expect(getEventListeners(signal, "abort")).toEqual([]);
  expect(connection.state).toBe("open");
  connection.destroy();
});

// A proxy that closes both sides at the end of one would let the session go on before the server knows.
test("a cancel keeps its side of the socket open until the server has closed its own", async () => {
  const arrived = Promise.withResolvers<Peer>();
  await using server = await serve((peer) => {
    arrived.resolve(peer);
    return peer.clientEnd;
  });
  const connection = await connectTo(server);
  const { request } = await start(connection);
  const cancelled = connection.cancel(request);
  const { socket } = await arrived.promise;
  for (let turns = 0; turns < 50; turns += 1) {
    await turn();
  }
  expect(socket.readableEnded).toBe(false);
  socket.end();
  await cancelled;
  connection.destroy();
});

test("a cancel of a server that does not close ends with its signal, and the session with its request", async () => {
  const controller = new AbortController();
  const reason = new Error("too slow");
  await using server = await serve(
    async (peer) => {
      controller.abort(reason);
      await peer.clientEnd;
    },
    async (peer) => {
      await peer.query();
      await cancelled;
      peer.write(done);
      await peer.clientEnd;
      expect(peer.received).toHaveLength(0);
    },
  );
  const { promise: cancelled, resolve } = Promise.withResolvers<void>();
  const connection = await connectTo(server);
  const { request, ended } = await start(connection);
  await expect(connection.cancel(request, { signal: controller.signal })).rejects.toMatchObject({
    code: "ABORTED",
    cause: reason,
    sent: false,
  });
  expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  const behind = query("behind", new RecordingSink());
  connection.send(behind.request);
  resolve();
  expect(await ended).toMatchObject({ type: "ready" });
  expect(await behind.ended).toMatchObject({ type: "lost", error: { sent: false } });
  expect(await connection.closed).toMatchObject({
    type: "destroyed",
    error: { message: expect.stringContaining("a cancel request may still be on its way") },
  });
});

test("a cancel that the server breaks off is CONNECTION_LOST", async () => {
  await using server = await serve((peer) => {
    peer.socket.resetAndDestroy();
  });
  const connection = await connectTo(server);
  const { request } = await start(connection);
  await expect(connection.cancel(request)).rejects.toMatchObject({ code: "CONNECTION_LOST" });
  connection.destroy();
});

test("a cancel where no server takes connections any more is CONNECT_FAILED, and harmless", async () => {
  const { promise: cancelled, resolve } = Promise.withResolvers<void>();
  const server = await serve(
    () => undefined,
    async (peer) => {
      await peer.query();
      await cancelled;
      peer.write(done);
      await peer.query();
      peer.write(done);
      await peer.clientEnd;
    },
  );
  const connection = await connectTo(server);
  const { request, ended } = await start(connection);
  server.stopListening();
  await expect(connection.cancel(request)).rejects.toMatchObject({ code: "CONNECT_FAILED" });
  resolve();
  expect(await ended).toMatchObject({ type: "ready" });
  const { request: next, ended: nextEnded } = query("next", new RecordingSink());
  connection.send(next);
  expect(await nextEnded).toMatchObject({ type: "ready" });
  connection.destroy();
  await server[Symbol.asyncDispose]();
});

test("nothing is written behind the request until it is settled and the server has closed", async () => {
  const taken = Promise.withResolvers<Peer>();
  const session = Promise.withResolvers<Peer>();
  await using server = await serve(
    (peer) => taken.resolve(peer),
    async (peer) => {
      expect(await peer.query()).toBe("q");
      session.resolve(peer);
      await peer.clientEnd;
    },
  );
  const connection = await connectTo(server);
  const { request, ended } = await start(connection);
  const cancelled = connection.cancel(request);
  const next = query("next", new RecordingSink());
  connection.send(next.request);
  const [cancelPeer, sessionPeer] = await Promise.all([taken.promise, session.promise]);
  sessionPeer.write(done);
  expect(await ended).toMatchObject({ type: "ready" });
  await turn();
  expect(sessionPeer.received).toHaveLength(0);
  expect(connection.running).toBeUndefined();
  cancelPeer.socket.end();
  await cancelled;
  expect(await sessionPeer.query()).toBe("next");
  sessionPeer.write(done);
  expect(await next.ended).toMatchObject({ type: "ready" });
  connection.destroy();
});

test("a request that waits for its turn is cancelled when it runs", async () => {
  const log: string[] = [];
  const session = Promise.withResolvers<Peer>();
  await using server = await serve(
    (peer) => {
      log.push("cancel");
      peer.socket.end();
    },
    async (peer) => {
      expect([await peer.query(), await peer.query()]).toEqual(["first", "second"]);
      session.resolve(peer);
      await peer.clientEnd;
    },
  );
  const connection = await connectTo(server);
  const first = await start(connection, "first");
  const second = query("second", new RecordingSink());
  connection.send(second.request);
  const cancelled = connection.cancel(second.request);
  const third = query("third", new RecordingSink());
  connection.send(third.request);
  const peer = await session.promise;
  await turn();
  expect(log).toEqual([]);
  peer.write(done);
  await first.ended;
  await cancelled;
  expect(log).toEqual(["cancel"]);
  expect(peer.received).toHaveLength(0);
  peer.write(done);
  expect(await second.ended).toMatchObject({ type: "ready" });
  expect(await peer.query()).toBe("third");
  connection.destroy();
});

test("no cancel is sent while others are in flight behind the request", async () => {
  const session = Promise.withResolvers<Peer>();
  await using server = await serve(
    () => expect.unreachable("it could hit the other request"),
    async (peer) => {
      expect([await peer.query(), await peer.query()]).toEqual(["first", "second"]);
      session.resolve(peer);
      await peer.clientEnd;
    },
  );
  const connection = await connectTo(server);
  const ends: RequestEnd[] = [];
  const requests: SimpleQuery[] = [];
  for (const sql of ["first", "second"]) {
    const { request, ended } = query(sql, new RecordingSink());
    connection.send(request);
    requests.push(request);
    void ended.then((end) => ends.push(end));
  }
  const peer = await session.promise;
  const [first] = requests;
  const cancelled = connection.cancel(first ?? expect.unreachable());
  peer.write(done);
  await cancelled;
  await turn();
  expect(ends).toHaveLength(1);
  expect(server.connectionCount).toBe(1);
  connection.destroy();
});

test("nothing is written when the request has ended by the time there is a socket", async () => {
  await using server = await ScriptedServer.start(async (peer) => {
    await peer.clientEnd;
    expect(peer.received).toHaveLength(0);
  });
  await cancelRequest({
    address: server.address,
    tls: undefined,
    key: { processId: 1, secretKey: Buffer.alloc(4) },
    signal: new AbortController().signal,
    mayWrite: () => false,
  });
  expect(server.connectionCount).toBe(1);
});

test("the end of the connection ends its cancels", async () => {
  const taken = Promise.withResolvers<void>();
  await using server = await serve(async (peer) => {
    taken.resolve();
    await peer.clientEnd;
  });
  const connection = await connectTo(server);
  const { request, ended } = await start(connection);
  const cancelled = connection.cancel(request);
  await taken.promise;
  connection.destroy();
  await cancelled;
  expect(await ended).toMatchObject({ type: "lost" });
});
