import { expect, test } from "vitest";
import { PgwireServer } from "../src/server/pgwire-server.ts";
import { startup } from "./frontend.ts";
import { PATIENCE, TestServer } from "./test-server.ts";

const TRUST = { trustLoopback: true } as const;
const FAREWELL = "FATAL 57P01 terminating connection due to administrator command";

test("a stop tells each client, in a transaction at its end", async () => {
  await using scene = await TestServer.start(TRUST);
  await using idle = await scene.client();
  await using inTransaction = await scene.client();
  await using loggingIn = await scene.connect();
  await expect.poll(() => scene.server.count.connections, PATIENCE).toBe(3);
  const session = scene.manager.sessions[1];
  if (session === undefined) {
    throw new Error("a session is missing");
  }
  session.isInTransaction = true;
  let isClosed = false;
  const closed = scene.server.close().then(() => (isClosed = true));
  expect(await idle.answers()).toEqual([FAREWELL]);
  expect(await loggingIn.answers()).toEqual([FAREWELL]);
  await idle.end();
  expect([isClosed, session.ends]).toEqual([false, ["boundary"]]);
  await expect(scene.connect()).rejects.toMatchObject({ message: expect.any(String) });
  session.commit();
  expect(await inTransaction.answers()).toEqual([FAREWELL]);
  for (const { socket } of [idle, inTransaction, loggingIn]) {
    socket.destroy();
  }
  await closed;
  expect(scene.server.count).toEqual({ clients: 0, connections: 0, refused: 0 });
});

test("what is left when the time for a stop is over is cut", async () => {
  await using scene = await TestServer.start(TRUST);
  await using client = await scene.client();
  const { session } = scene.manager;
  session.isInTransaction = true;
  const time = new AbortController();
  const closed = scene.server.close({ signal: time.signal });
  await session.until(({ ends }) => ends.length === 1);
  time.abort();
  await closed;
  await client.end();
  expect(session.ends).toContain("now");
});

test("it listens again after a stop, and closing twice is as good as once", async () => {
  await using scene = await TestServer.start(TRUST);
  await Promise.all([scene.server.close(), scene.server.close()]);
  expect(scene.server.port).toBeUndefined();
  await scene.server.listen();
  await using client = await scene.connect();
  client.send(startup());
  expect((await client.answers()).at(-1)).toBe("Z I");
  await expect(scene.server.listen()).rejects.toMatchObject({ code: "ALREADY_LISTENING" });
});

test("a port that is in use is named", async () => {
  await using scene = await TestServer.start();
  const second = TestServer.start({ port: scene.port });
  await expect(second).rejects.toMatchObject({
    code: "LISTEN_FAILED",
    message: `cannot listen on 127.0.0.1:${scene.port} for clients: the port is in use`,
  });
});

test("a start that is aborted leaves nothing", async () => {
  await using scene = await TestServer.start();
  await scene.server.close();
  const aborted = scene.server.listen({ signal: AbortSignal.abort() });
  await expect(aborted).rejects.toMatchObject({ code: "CANCELLED" });
  const interrupted = scene.server.listen();
  const closed = scene.server.close();
  await expect(interrupted).rejects.toMatchObject({ code: "CANCELLED" });
  await closed;
  expect(scene.server.port).toBeUndefined();
});

test.each([
  ["maxClients", 0],
  ["maxConnections", 1.5],
  ["loginTimeoutMs", 0],
  ["failedLoginDelayMs", -1],
  ["idleTimeoutMs", Number.NaN],
  ["maxMessageBytes", 1023],
])("%s of %d is refused by name", async (name, value) => {
  await using scene = await TestServer.start();
  const { manager } = scene;
  const logger = { debug: noLine, info: noLine, warn: noLine, error: noLine };
  const options = { manager, logger, host: "127.0.0.1", port: 0, [name]: value };
  expect(() => new PgwireServer(options)).toThrow(`${name} must be a whole number from`);
});

function noLine(): void {
  // These tests log nothing.
}
