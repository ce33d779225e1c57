import { encodeCommandTag } from "@multipooler/query-service";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { MultiPoolerManager } from "@multipooler/manager";
import { expect, expectTypeOf, test } from "vitest";
import type { PoolerManager } from "../src/server/pooler-manager.ts";
import { GrpcServer } from "../src/server/grpc-server.ts";
import { connect as connectClient } from "../src/client/index.ts";
import { FakeManager, FakePoolerError } from "./fake-manager.ts";
import { startServer } from "./test-server.ts";

const logger = { debug() {}, info() {}, warn() {}, error() {} };

function serverOn(port: number, host = "127.0.0.1"): GrpcServer {
  const server = new GrpcServer({ manager: new FakeManager(), host, port, version: "1", logger });
  server.offer("health");
  return server;
}

/** A port that somebody else listens on. */
async function takenPort(): Promise<{ port: number } & AsyncDisposable> {
  const owner = createServer().listen(0, "127.0.0.1");
  await once(owner, "listening");
  const address = owner.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  return {
    port,
    async [Symbol.asyncDispose]() {
      owner.close();
      await once(owner, "close");
    },
  };
}

async function refusesConnections(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.on("error", () => resolve(true));
  socket.on("connect", () => resolve(false));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

/** Statements that run until the test ends them, whatever their signal says. */
function heldStatements(manager: FakeManager): { started: Promise<void>; end: () => void } {
  const started = Promise.withResolvers<void>();
  const ending = Promise.withResolvers<void>();
  manager.execute = async (_request, sink) => {
    started.resolve();
    await ending.promise;
    await sink.write({ type: "complete", bytes: encodeCommandTag("SELECT 0") });
  };
  return { started: started.promise, end: ending.resolve };
}

test("the manager that we ship is one that the server can serve", () => {
  expectTypeOf<MultiPoolerManager>().toExtend<PoolerManager>();
});

test("a server on port 0 tells which port it got, for as long as it listens", async () => {
  const server = serverOn(0);
  expect(server.port).toBeUndefined();
  await server.listen();
  expect(server.port).toBeGreaterThan(0);
  await server.close();
  expect(server.port).toBeUndefined();
});

test("a port that is in use is an error that names it, after which the server can try again", async () => {
  const server = serverOn(0);
  {
    await using taken = await takenPort();
    const late = serverOn(taken.port);
    await expect(late.listen()).rejects.toMatchObject({
      name: "GrpcServicesError",
      code: "LISTEN_FAILED",
      message: `cannot listen on 127.0.0.1:${taken.port}: the port is in use`,
    });
    expect(late.port).toBeUndefined();
    await late.close();
    await taken[Symbol.asyncDispose]();
    await late.listen();
    expect(late.port).toBe(taken.port);
    await late.close();
  }
  await server.listen();
  await server.close();
});

test.each([
  ["an address of another machine", "203.0.113.1", 0, "this machine does not have the address"],
  ["a port that does not exist", "127.0.0.1", 70_000, "70000"],
  ["something that is no address", "not an address", 0, ""],
])("%s cannot be listened on", async (_what, host, port, why) => {
  await expect(serverOn(port, host).listen()).rejects.toMatchObject({
    code: "LISTEN_FAILED",
    message: expect.stringMatching(new RegExp(`^cannot listen on ${host}:${port}: .*${why}`)),
  });
});

test("an IPv6 address is listened on and closed", async () => {
  const server = serverOn(0, "::1");
  await server.listen();
  using client = connectClient({ address: `[::1]:${server.port}` });
  expect(await client.isServing("")).toBe(true);
  await server.close({ signal: AbortSignal.abort() });
});

test("listening twice is refused", async () => {
  await using server = serverOn(0);
  await server.listen();
  await expect(server.listen()).rejects.toMatchObject({ code: "ALREADY_LISTENING" });
});

test("a server that listens, closes and listens again serves again", async () => {
  const manager = new FakeManager();
  const server = new GrpcServer({ manager, host: "127.0.0.1", port: 0, version: "1", logger });
  server.offer("manager");
  server.offer("manager");
  for (let round = 0; round < 3; round += 1) {
    await server.listen();
    using client = connectClient({ address: `127.0.0.1:${server.port}` });
    expect((await client.status()).version).toBe("1");
    await server.close();
  }
});

test("listening with an aborted signal binds nothing", async () => {
  const server = serverOn(0);
  await expect(server.listen({ signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: "CANCELLED",
  });
  expect(server.port).toBeUndefined();
});

test("an abort while the port is being bound leaves nothing behind", async () => {
  await using free = await takenPort();
  await free[Symbol.asyncDispose]();
  const server = serverOn(free.port);
  const abort = new AbortController();
  const listening = server.listen({ signal: abort.signal });
  abort.abort();
  await expect(listening).rejects.toMatchObject({ code: "CANCELLED" });
  expect(await refusesConnections(free.port)).toBe(true);
});

test("a close while the port is being bound ends both calls and leaves nothing behind", async () => {
  await using free = await takenPort();
  await free[Symbol.asyncDispose]();
  const server = serverOn(free.port);
  const listening = server.listen();
  const closing = server.close();
  await expect(listening).rejects.toMatchObject({ code: "CANCELLED" });
  await closing;
  expect(await refusesConnections(free.port)).toBe(true);
  await server.listen();
  await server.close();
});

test("closing is idempotent: before listening, twice at once, and again", async () => {
  const server = serverOn(0);
  await server.close();
  await server.listen();
  await Promise.all([server.close(), server.close()]);
  await server.close();
  expect(server.port).toBeUndefined();
});

test("closing lets a running statement end and takes no new client", async () => {
  await using pooler = await startServer();
  const { started, end } = heldStatements(pooler.manager);
  const { port } = pooler.server;
  const call = pooler.client.executeQuery({});
  await started;
  const closing = pooler.server.close();
  expect(await refusesConnections(port ?? 0)).toBe(true);
  end();
  expect((await call).result?.commandTag).toBe("SELECT 0");
  await closing;
});

test("closing cuts what still runs when its signal aborts", async () => {
  await using pooler = await startServer();
  const aborted = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  pooler.manager.execute = async (_request, _sink, { signal } = {}) => {
    if (signal === undefined) {
      throw new TypeError("no signal");
    }
    started.resolve();
    await once(signal, "abort");
    aborted.resolve();
    throw new FakePoolerError("CANCELLED", "cancelled");
  };
  const call: Promise<unknown> = Array.fromAsync(pooler.client.streamExecute({}));
  const failed = call.catch((error: unknown) => error);
  await started.promise;
  const deadline = new AbortController();
  const closing = pooler.server.close({ signal: deadline.signal });
  deadline.abort();
  await closing;
  await aborted.promise;
  expect(await failed).toMatchObject({ name: "GrpcStatusError" });
});

test("a second close with a signal hurries the first one, and an aborted signal cuts at once", async () => {
  await using pooler = await startServer();
  const { started, end } = heldStatements(pooler.manager);
  const failed = pooler.client.executeQuery({}).catch((error: unknown) => error);
  await started;
  const patient = pooler.server.close();
  await pooler.server.close({ signal: AbortSignal.abort() });
  await patient;
  expect(await failed).toMatchObject({ name: "GrpcStatusError" });
  end();
});

test("closing leaves no listener on its signal", async () => {
  const server = serverOn(0);
  const listeners: string[] = [];
  const { signal } = new AbortController();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (type: string, ...rest: [never]) => {
    listeners.push(`+${type}`);
    add(type, ...rest);
  };
  signal.removeEventListener = (type: string, ...rest: [never]) => {
    listeners.push(`-${type}`);
    remove(type, ...rest);
  };
  await server.listen({ signal });
  await server.close({ signal });
  expect(listeners.filter((entry) => entry === "+abort")).toHaveLength(1);
  expect(listeners.filter((entry) => entry === "-abort")).toHaveLength(1);
});

test("a client that connects and says nothing does not keep the server open", async () => {
  await using pooler = await startServer();
  const socket = connect(pooler.server.port ?? 0, "127.0.0.1");
  await once(socket, "connect");
  const ended = once(socket, "close");
  socket.resume();
  await pooler.server.close();
  await ended;
  expect(socket.destroyed).toBe(true);
});

test("clients that came and went, and a closed server, leave no socket", async () => {
  const sockets = (): number =>
    process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP")).length;
  const before = sockets();
  const server = serverOn(0);
  await server.listen();
  for (let round = 0; round < 5; round += 1) {
    using client = connectClient({ address: `127.0.0.1:${server.port}` });
    expect(await client.isServing("")).toBe(true);
  }
  await server.close();
  await expect.poll(sockets).toBe(before);
});

test("a client that gives no sign of life is cut", { timeout: 5000 }, async () => {
  await using pooler = await startServer({ keepaliveIntervalMs: 20, keepaliveTimeoutMs: 20 });
  const { promise: cut, resolve } = Promise.withResolvers<void>();
  const socket = connect(pooler.server.port ?? 0, "127.0.0.1");
  socket.on("close", () => resolve());
  // HTTP/2's preface and an empty SETTINGS frame; then it never answers a PING.
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
  socket.resume();
  await cut;
  // One that answers stays.
  expect(await pooler.client.isServing("")).toBe(true);
});

test("a connection of a certain age is given up, calls on it when their grace is over", async () => {
  await using pooler = await startServer({ maxConnectionAgeMs: 50, maxConnectionAgeGraceMs: 300 });
  const health = pooler.client.streamPoolerHealth()[Symbol.asyncIterator]();
  expect((await health.next()).done).toBe(false);
  await expect(health.next()).rejects.toMatchObject({ name: "GrpcStatusError" });
  expect(await pooler.client.isServing("")).toBe(true);
});
