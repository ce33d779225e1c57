import { Client, credentials, Metadata } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { expect, test, vi } from "vitest";
import type { ObservedCall } from "../src/server/call/observed-calls.ts";
import { startServer } from "./test-server.ts";

const WITHIN = { timeout: 20_000 };
const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

interface Observed extends ObservedCall {
  ended: boolean;
  status?: number | undefined;
}

/** Notes calls and how they end. */
function observer(): {
  calls: Observed[];
  observeCall: (call: ObservedCall) => (status?: number) => void;
} {
  const calls: Observed[] = [];
  return {
    calls,
    observeCall: (call) => {
      const observed: Observed = { ...call, ended: false };
      calls.push(observed);
      return (status) => Object.assign(observed, { ended: true, status });
    },
  };
}

/** A call of plain grpc-js with the header. Resolves with its status. */
async function callTraced(address: string, path: string): Promise<number | undefined> {
  const client = new Client(address, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set("traceparent", TRACEPARENT);
  const { promise, resolve } = Promise.withResolvers<ServiceError | null>();
  client.makeUnaryRequest(
    path,
    (bytes: Uint8Array) => Buffer.from(bytes),
    (bytes) => bytes,
    new Uint8Array(),
    metadata,
    (error) => resolve(error),
  );
  const error = await promise;
  client.close();
  return error?.code ?? 0;
}

test("a call is observed with its trace context and its status, whether there is such a method or not", async () => {
  const { calls, observeCall } = observer();
  await using pooler = await startServer({ observeCall });
  expect(await callTraced(pooler.address, "/grpc.health.v1.Health/Check")).toBe(0);
  expect(await callTraced(pooler.address, "/no.Service/Method")).toBe(12);
  await vi.waitFor(() => expect(calls.every(({ ended }) => ended)).toBe(true), WITHIN);
  expect(calls).toEqual([
    {
      method: "grpc.health.v1.Health/Check",
      traceparent: TRACEPARENT,
      tracestate: undefined,
      ended: true,
      status: 0,
    },
    {
      method: "no.Service/Method",
      traceparent: TRACEPARENT,
      tracestate: undefined,
      ended: true,
      status: 12,
    },
  ]);
});

test("a call whose client goes away ends without a status", async () => {
  const { calls, observeCall } = observer();
  await using pooler = await startServer({ observeCall });
  const health = pooler.client.streamPoolerHealth()[Symbol.asyncIterator]();
  await health.next();
  expect(calls).toMatchObject([{ ended: false, traceparent: undefined }]);
  await health.return?.();
  await vi.waitFor(() => expect(calls).toMatchObject([{ ended: true, status: undefined }]), WITHIN);
});
