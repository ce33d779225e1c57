import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { commandComplete, readyForQuery, rowDescription } from "./backend-messages.ts";
import { ask, query } from "./ask.ts";
import { RecordingSink } from "./recording-sink.ts";
import type { Peer } from "./scripted-server.ts";
import { connectTo, serveSession } from "./scripted-session.ts";

async function expectTerminate(peer: Peer): Promise<void> {
  expect(await peer.message()).toEqual({ type: "X", body: Buffer.alloc(0) });
  await peer.clientEnd;
}

const done = Buffer.concat([commandComplete("DONE"), readyForQuery()]);

describe("close", () => {
  test("tells the server and waits for it to end its side", async () => {
    let ended = false;
    await using server = await serveSession(async (peer) => {
      await expectTerminate(peer);
      await new Promise((resolve) => setImmediate(resolve));
      ended = true;
      peer.socket.end();
    });
    const connection = await connectTo(server);
    await connection.close();
    expect(ended).toBe(true);
    expect(connection.state).toBe("closed");
    expect(await connection.closed).toEqual({ type: "closed" });
    await expect(ask(connection, "q", new RecordingSink())).rejects.toMatchObject({
      code: "CLOSED",
      sent: false,
    });
  });

  test("is one close, however often and whenever it is called", async () => {
    let terminations = 0;
    await using server = await serveSession(async (peer) => {
      await expectTerminate(peer);
      terminations += 1;
      peer.socket.end();
    });
    const connection = await connectTo(server);
    await Promise.all([connection.close(), connection.close(), connection[Symbol.asyncDispose]()]);
    await connection.close();
    connection.destroy(new Error("too late"));
    expect(await connection.closed).toEqual({ type: "closed" });
    expect(terminations).toBe(1);
  });

  test("lets the requests before it finish and refuses those after it", async () => {
    await using server = await serveSession(async (peer) => {
      expect([await peer.query(), await peer.query()]).toEqual(["a", "b"]);
      peer.write(done, done);
      await expectTerminate(peer);
      peer.socket.end();
    });
    const connection = await connectTo(server);
    const sinks = [new RecordingSink(), new RecordingSink()];
    const requests = ["a", "b"].map((sql, index) =>
      ask(connection, sql, sinks[index] ?? expect.unreachable()),
    );
    const closing = connection.close();
    expect([connection.state, connection.idle, connection.inFlight]).toEqual(["closing", false, 2]);
    await expect(ask(connection, "c", new RecordingSink())).rejects.toMatchObject({
      code: "CLOSED",
      sent: false,
    });
    await Promise.all([...requests, closing]);
    expect(sinks.map(({ types }) => types)).toEqual([["complete"], ["complete"]]);
  });

  test("does not wait for a request that was withdrawn", async () => {
    await using server = await serveSession(async (peer) => {
      await expectTerminate(peer);
      peer.socket.end();
    });
    const connection = await connectTo(server);
    const { request } = query("q", new RecordingSink());
    connection.send(request);
    const closing = connection.close();
    expect(connection.withdraw(request)).toBe(true);
    await closing;
    expect(await connection.closed).toEqual({ type: "closed" });
  });

  test("destroys the connection when the server does not end it in time", async () => {
    await using server = await serveSession(expectTerminate);
    const connection = await connectTo(server, { closeTimeoutMs: 10 });
    await connection.close();
    expect(await connection.closed).toEqual({
      type: "destroyed",
      error: expect.objectContaining({
        code: "CONNECTION_LOST",
        message: "the server did not end the session within 10 ms",
      }),
    });
  });

  test("destroys the connection when its signal aborts, requests included", async () => {
    const controller = new AbortController();
    const reason = new Error("shutdown");
    await using server = await serveSession(async (peer) => {
      await peer.query();
      controller.abort(reason);
      await peer.clientEnd;
    });
    const connection = await connectTo(server);
    const request = ask(connection, "q", new RecordingSink());
    const refused = expect(request).rejects.toMatchObject({
      code: "CONNECTION_LOST",
      cause: reason,
    });
    await connection.close({ signal: controller.signal });
    await refused;
    expect(await connection.closed).toEqual({ type: "destroyed", error: reason });
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  test("with a signal that has aborted does not wait for anything", async () => {
    await using server = await serveSession((peer) => peer.clientEnd);
    const connection = await connectTo(server);
    const reason = new Error("now");
    await connection.close({ signal: AbortSignal.abort(reason) });
    expect(await connection.closed).toEqual({ type: "destroyed", error: reason });
  });

  test("leaves no listener on a signal that stays", async () => {
    const { signal } = new AbortController();
    await using server = await serveSession(async (peer) => {
      await expectTerminate(peer);
      peer.socket.end();
    });
    const connection = await connectTo(server);
    await connection.close({ signal });
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("ends when the server breaks off while requests are still running", async () => {
    await using server = await serveSession(async (peer) => {
      await peer.query();
      peer.socket.resetAndDestroy();
    });
    const connection = await connectTo(server);
    const request = ask(connection, "q", new RecordingSink());
    const refused = expect(request).rejects.toMatchObject({ code: "CONNECTION_LOST" });
    await connection.close();
    await refused;
    expect((await connection.closed).type).toBe("lost");
  });
});

describe("destroy", () => {
  test("ends every request at once and says which were sent", async () => {
    await using server = await serveSession((peer) => peer.clientEnd);
    const connection = await connectTo(server);
    const reason = new Error("unwanted");
    const sent = ask(connection, "a", new RecordingSink());
    await new Promise((resolve) => setImmediate(resolve));
    const unsent = ask(connection, "b", new RecordingSink());
    connection.destroy(reason);
    connection.destroy(new Error("again"));
    expect([connection.state, connection.inFlight]).toEqual(["closed", 0]);
    const error = { code: "CONNECTION_LOST", cause: reason, diagnostic: undefined };
    await expect(sent).rejects.toMatchObject({ ...error, sent: true });
    await expect(unsent).rejects.toMatchObject({ ...error, sent: false });
    expect(await connection.closed).toEqual({ type: "destroyed", error: reason });
  });

  test("does not wait for a sink that never takes what it was given", async () => {
    await using server = await serveSession(async (peer) => {
      await peer.query();
      peer.write(rowDescription("a"), done);
      await peer.clientEnd;
    });
    const connection = await connectTo(server);
    const stuck = Promise.withResolvers<void>();
    const written = Promise.withResolvers<void>();
    const events: string[] = [];
    const request = ask(connection, "q", {
      write: ({ type }) => {
        events.push(type);
        written.resolve();
        return stuck.promise;
      },
    });
    await written.promise;
    connection.destroy();
    await expect(request).rejects.toMatchObject({ code: "CONNECTION_LOST", sent: true });
    await connection.closed;
    stuck.resolve();
    await stuck.promise;
    expect(events).toEqual(["fields"]);
  });

  test("during close ends the close", async () => {
    await using server = await serveSession((peer) => peer.clientEnd);
    const connection = await connectTo(server);
    const refused = expect(ask(connection, "q", new RecordingSink())).rejects.toMatchObject({
      code: "CONNECTION_LOST",
    });
    const closing = connection.close();
    connection.destroy();
    await Promise.all([closing, refused]);
    expect((await connection.closed).type).toBe("destroyed");
  });
});
