import { ManagerError } from "@multipooler/manager";
import { ServingStatus, SetServingStatusRequest } from "@multipooler/proto/manager-v1";
import { expect, test } from "vitest";
import { startServer } from "./test-server.ts";

test.each([
  [ServingStatus.SERVING_STATUS_SERVING, "SERVING"],
  [ServingStatus.SERVING_STATUS_SERVING_RDONLY, "SERVING_RDONLY"],
  [ServingStatus.SERVING_STATUS_DRAINED, "DRAINED"],
  [ServingStatus.SERVING_STATUS_NOT_SERVING, "NOT_SERVING"],
])("a wish for status %i reaches the manager as %s", async (status, wished) => {
  await using pooler = await startServer();
  const request = { status, reason: "an upgrade", wait: true };
  expect(await pooler.client.setServingStatus(request)).toEqual({
    intent: {
      status,
      reason: "an upgrade",
      sinceTime: new Date("2026-01-02T03:04:06.000Z"),
      remembered: true,
      notRememberedReason: "",
    },
    serving: { current: 1, wanted: 0, reason: "the database is healthy" },
  });
  expect(pooler.manager.wishes).toEqual([{ status: wished, reason: "an upgrade", wait: true }]);
});

test.each([0, 5, -1])("status %i is refused, and the manager is not asked", async (number) => {
  await using pooler = await startServer();
  const request = SetServingStatusRequest.fromJSON({});
  Object.assign(request, { status: number });
  await expect(pooler.client.setServingStatus(request)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
  });
  expect(pooler.manager.wishes).toEqual([]);
});

test("what the manager rejects with is told with its message", async () => {
  await using pooler = await startServer();
  const status = ServingStatus.SERVING_STATUS_DRAINED;
  for (const [code, expected] of [
    ["INVALID_ARGUMENT", "INVALID_ARGUMENT"],
    ["SUPERSEDED", "ABORTED"],
    ["NOT_OPEN", "UNAVAILABLE"],
  ] as const) {
    pooler.manager.servingAnswer = () => Promise.reject(new ManagerError(code, "as told"));
    await expect(pooler.client.setServingStatus({ status })).rejects.toMatchObject({
      code: expected,
      message: "as told",
    });
  }
});

test("the end of the call ends the wait", async () => {
  await using pooler = await startServer();
  const asked = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  pooler.manager.servingAnswer = async (signal) => {
    const { promise, reject } = Promise.withResolvers<void>();
    signal?.addEventListener("abort", () => {
      ended.resolve();
      reject(signal.reason);
    });
    asked.resolve();
    await promise;
  };
  const request = { status: ServingStatus.SERVING_STATUS_DRAINED, wait: true };
  const abort = new AbortController();
  const waiting = pooler.client.setServingStatus(request, { signal: abort.signal });
  const cancelled = expect(waiting).rejects.toMatchObject({ code: "CANCELLED" });
  await asked.promise;
  abort.abort();
  await Promise.all([cancelled, ended.promise]);
});
