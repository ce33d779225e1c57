import { Client, credentials } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { expect, test, vi } from "vitest";
import { CALL_TIME_BOUNDS_MS } from "../src/index.ts";
import { startServer } from "./test-server.ts";
import type { TestServer } from "./test-server.ts";

const WITHIN = { timeout: 20_000 };
const HEALTH = "multipoolerservice.MultipoolerService/StreamPoolerHealth";

/** "method status: how many", of all that were counted. */
function counted({ server }: TestServer): string[] {
  return server.callTimes.map(({ method, status, times }) => {
    expect(times.length).toBe(CALL_TIME_BOUNDS_MS.length + 1);
    return `${method} ${status}: ${times.reduce((sum, count) => sum + count, 0)}`;
  });
}

async function call(address: string, path: string): Promise<void> {
  const client = new Client(address, credentials.createInsecure());
  const { promise, resolve } = Promise.withResolvers<ServiceError | null>();
  const bytes = (message: Uint8Array): Buffer => Buffer.from(message);
  client.makeUnaryRequest(path, bytes, bytes, new Uint8Array(), (error) => resolve(error));
  await promise;
  client.close();
}

test("calls are counted by method and status, and those of unknown methods under one name", async () => {
  await using pooler = await startServer();
  await call(pooler.address, "/grpc.health.v1.Health/Check");
  await call(pooler.address, "/grpc.health.v1.Health/Check");
  await call(pooler.address, "/multipoolerservice.MultipoolerService/StreamReplication");
  await call(pooler.address, "/no.Service/Method");
  await call(pooler.address, "/no.Service/Other");
  expect(counted(pooler)).toEqual([
    "_OTHER UNIMPLEMENTED: 2",
    "multipoolerservice.MultipoolerService/StreamReplication UNIMPLEMENTED: 1",
    "grpc.health.v1.Health/Check OK: 2",
  ]);
});

test("a call that is given up by its client is counted as cancelled, once, with the time that it took", async () => {
  await using pooler = await startServer();
  const health = pooler.client.streamPoolerHealth()[Symbol.asyncIterator]();
  await health.next();
  expect(counted(pooler)).toEqual([]);
  await health.return?.();
  await vi.waitFor(() => expect(counted(pooler)).toEqual([`${HEALTH} CANCELLED: 1`]), WITHIN);
  expect(pooler.server.callTimes[0]?.totalMs).toBeGreaterThan(0);
});

test("a call whose deadline passes is counted as that, whoever notices first", async () => {
  await using pooler = await startServer();
  const health = Array.fromAsync(pooler.client.streamPoolerHealth({ timeoutMs: 300 }));
  await expect(health).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
  await vi.waitFor(
    () => expect(counted(pooler)).toEqual([`${HEALTH} DEADLINE_EXCEEDED: 1`]),
    WITHIN,
  );
});
