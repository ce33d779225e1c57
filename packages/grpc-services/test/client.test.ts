import { encodeCommandTag } from "@multipooler/query-service";
import { Metadata } from "@grpc/grpc-js";
import { expect, test, vi } from "vitest";
import { connect, GrpcStatusError } from "../src/client/index.ts";
import { grpcStatusError } from "../src/errors/grpc-status-error.ts";
import { FakePoolerError } from "./fake-manager.ts";
import { startServer } from "./test-server.ts";

/** What a promise rejects with. */
async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

test("an error of the database comes with its code, its RPCError and PostgreSQL's words", async () => {
  await using pooler = await startServer();
  const diagnostic = {
    kind: "error",
    severity: "ERROR",
    code: "42P01",
    message: 'relation "nope" does not exist',
    position: 15,
  } as const;
  pooler.manager.execute = async () => {
    throw new FakePoolerError("DATABASE_ERROR", "the query failed", diagnostic);
  };
  for (const call of [
    pooler.client.executeQuery({}),
    Array.fromAsync(pooler.client.streamExecute({})),
  ]) {
    const error = await rejection(call);
    expect(error).toBeInstanceOf(GrpcStatusError);
    expect(error).toMatchObject({
      name: "GrpcStatusError",
      code: "UNKNOWN",
      message: "the query failed",
      rpcError: { code: 2, message: "the query failed" },
      diagnostic: { code: "42P01", message: 'relation "nope" does not exist', position: 15 },
    });
  }
});

test("what arrived before an error is read before it is thrown", async () => {
  await using pooler = await startServer();
  pooler.manager.execute = async (_request, sink) => {
    for (let n = 0; n < 100; n += 1) {
      await sink.write({ type: "complete", bytes: encodeCommandTag(`UPDATE ${n}`) });
    }
    throw new FakePoolerError("CONNECTION_LOST", "the connection broke");
  };
  let messages = 0;
  const error = await rejection(
    (async () => {
      for await (const _message of pooler.client.streamExecute({})) {
        messages += 1;
      }
    })(),
  );
  expect(messages).toBe(100);
  expect(error).toMatchObject({ diagnostic: { code: "08006" } });
});

test("a pooler that is not there is UNAVAILABLE", async () => {
  const pooler = await startServer();
  await pooler[Symbol.asyncDispose]();
  using client = connect({ address: pooler.address });
  expect(await rejection(client.status())).toMatchObject({ code: "UNAVAILABLE" });
  expect(await rejection(Array.fromAsync(client.streamExecute({})))).toMatchObject({
    code: "UNAVAILABLE",
  });
});

test("the status tells what the manager says", async () => {
  await using pooler = await startServer();
  expect(await pooler.client.status()).toMatchObject({ ready: true, version: "1.2.3", role: 1 });
  pooler.manager.change({ ready: false, notReadyReason: "PostgreSQL is away" });
  expect(await pooler.client.status()).toMatchObject({
    ready: false,
    notReadyReason: "PostgreSQL is away",
  });
});

test("a call with a signal that is aborted already is not made", async () => {
  await using pooler = await startServer();
  let calls = 0;
  pooler.manager.execute = async () => {
    calls += 1;
  };
  const options = { signal: AbortSignal.abort() };
  const cancelled = { code: "CANCELLED" };
  expect(await rejection(pooler.client.executeQuery({}, options))).toMatchObject(cancelled);
  const stream = pooler.client.streamExecute({}, options);
  expect(await rejection(Array.fromAsync(stream))).toMatchObject(cancelled);
  expect(calls).toBe(0);
});

test("calls that are over leave no listener on their signal", async () => {
  await using pooler = await startServer();
  const { signal } = new AbortController();
  const listeners = new Set<unknown>();
  signal.addEventListener = (_type: string, listener: unknown) => void listeners.add(listener);
  signal.removeEventListener = (_type: string, listener: unknown) =>
    void listeners.delete(listener);
  pooler.manager.execute = async (_request, sink) => {
    await sink.write({ type: "complete", bytes: encodeCommandTag("BEGIN") });
    expect(listeners.size).toBe(1);
  };
  await pooler.client.executeQuery({}, { signal });
  expect(listeners.size).toBe(0);
  for await (const _message of pooler.client.streamExecute({}, { signal })) {
    break;
  }
  expect(listeners.size).toBe(0);
  await Array.fromAsync(pooler.client.streamExecute({}, { signal }));
  expect(listeners.size).toBe(0);
});

test("a details trailer that is garbage is as good as none", () => {
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from([0x1a, 0x7f, 0x01]));
  const failure = Object.assign(new Error("x"), { code: 2, details: "it broke", metadata });
  const error = grpcStatusError(failure);
  expect(error).toMatchObject({ code: "UNKNOWN", message: "it broke", cause: failure });
  expect(error.rpcError).toBeUndefined();
  expect(error.diagnostic).toBeUndefined();
});

test.each([
  [new TypeError("no code"), "UNKNOWN", "no code"],
  [Object.assign(new Error("other"), { code: "ECONNRESET" }), "UNKNOWN", "other"],
  ["words", "UNKNOWN", "words"],
])("whatever else is thrown (%s) becomes a GrpcStatusError too", (thrown, code, message) => {
  expect(grpcStatusError(thrown)).toMatchObject({ name: "GrpcStatusError", code, message });
});

test("a pooler is reached directly, whatever proxy the environment has for the web", async () => {
  await using pooler = await startServer();
  for (const name of ["grpc_proxy", "https_proxy", "http_proxy"]) {
    vi.stubEnv(name, "http://127.0.0.1:1");
  }
  vi.stubEnv("no_grpc_proxy", "");
  vi.stubEnv("no_proxy", "");
  try {
    using client = connect({ address: pooler.address });
    expect(await client.isServing("")).toBe(true);
  } finally {
    vi.unstubAllEnvs();
  }
});
