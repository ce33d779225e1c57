import { ClientState } from "@multipooler/proto/operations-v1";
import { expect, test } from "vitest";
import type { PoolerActivity } from "../src/manager/pooler-activity.ts";
import type { PoolerOperations, ReloadOutcome } from "../src/manager/pooler-operations.ts";
import { startServer } from "./test-server.ts";

const NOW = Date.parse("2026-01-02T03:04:05.000Z");

const ACTIVITY: PoolerActivity = {
  nowMs: NOW,
  capacity: 10,
  pools: [
    {
      database: "shop",
      user: "boss",
      servers: [{ state: "active" }, { state: "idle" }, { state: "tested" }],
      dials: 1,
      limit: 5,
      reservations: 1,
      waiting: 2,
      longestWaitMs: 1500.25,
    },
  ],
  databases: [
    {
      name: "shop",
      isPaused: true,
      isDisabled: false,
      totals: {
        grants: 7,
        waitMs: 12.5,
        requests: 8,
        transactions: 6,
        busyMs: 2000,
        bytesSent: 100,
        bytesReceived: 2 ** 40,
      },
    },
  ],
  clients: (
    [
      undefined,
      { type: "idle" },
      { type: "queued", sinceMs: NOW - 1000 },
      { type: "running", sinceMs: NOW - 2000 },
      { type: "pinned", sinceMs: NOW - 3000, reason: "SessionState" },
      { type: "ended" },
    ] as const
  ).map((state, index) => ({
    id: index + 1,
    identity:
      state === undefined ? undefined : { user: "boss", database: "shop", applicationName: "till" },
    state,
    address: index === 0 ? "::1" : "10.0.0.7",
    port: 4711,
    connectedAt: NOW - 60_000,
    tls: "",
  })),
  reservations: [
    {
      id: 2n ** 63n - 1n,
      database: "shop",
      user: "boss",
      reasons: ["Transaction", "Portal"],
      processId: 815,
      sinceMs: NOW - 5000,
      idleMs: 250,
    },
  ],
};

function operations(more: Partial<PoolerOperations> = {}): PoolerOperations {
  return {
    reload: () => ({ type: "applied", changed: [], pending: [] }),
    explainReload: () => ({ type: "applied", changed: [], pending: [] }),
    activity: () => ACTIVITY,
    endClient: () => false,
    endReservation: () => false,
    ...more,
  };
}

test("an activity is told whole", async () => {
  await using pooler = await startServer({ operations: operations() });
  const { pools, databases, clients, reservations, time, capacity } =
    await pooler.client.getActivity();
  expect({ time, capacity }).toEqual({ time: new Date(NOW), capacity: 10 });
  expect(pools).toEqual([
    {
      database: "shop",
      user: "boss",
      used: 2,
      idle: 1,
      opening: 1,
      limit: 5,
      reserved: 1,
      waiting: 2,
      longestWait: { seconds: 1n, nanos: 500_250_000 },
    },
  ]);
  expect(databases).toEqual([
    expect.objectContaining({ name: "shop", paused: true, bytesReceived: 2n ** 40n }),
  ]);
  expect(clients.map(({ state, user, address }) => [state, user, address])).toEqual([
    [ClientState.CLIENT_STATE_LOGIN, "", "[::1]:4711"],
    [ClientState.CLIENT_STATE_IDLE, "boss", "10.0.0.7:4711"],
    [ClientState.CLIENT_STATE_WAITING, "boss", "10.0.0.7:4711"],
    [ClientState.CLIENT_STATE_RUNNING, "boss", "10.0.0.7:4711"],
    [ClientState.CLIENT_STATE_PINNED, "boss", "10.0.0.7:4711"],
    [ClientState.CLIENT_STATE_ENDED, "boss", "10.0.0.7:4711"],
  ]);
  expect(clients[4]).toMatchObject({ pinReason: "SessionState", sinceTime: new Date(NOW - 3000) });
  expect(clients[1]?.sinceTime).toBeUndefined();
  expect(reservations).toEqual([
    expect.objectContaining({ id: 2n ** 63n - 1n, reasons: ["Transaction", "Portal"] }),
  ]);
});

test("what there is is ended, what there is not is not found", async () => {
  const ended: unknown[] = [];
  const end = (id: number | bigint): boolean => {
    ended.push(id);
    return id === 7 || id === 8n;
  };
  await using pooler = await startServer({
    operations: operations({ endClient: end, endReservation: end }),
  });
  await pooler.client.kill({ what: { $case: "client", value: 7 } });
  await pooler.client.kill({ what: { $case: "reservation", value: 8n } });
  await expect(pooler.client.kill({ what: { $case: "client", value: 9 } })).rejects.toMatchObject({
    code: "NOT_FOUND",
    message: "there is no client 9",
  });
  await expect(
    pooler.client.kill({ what: { $case: "reservation", value: 10n } }),
  ).rejects.toMatchObject({ code: "NOT_FOUND", message: "there is no reservation 10" });
  await expect(pooler.client.kill({})).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(ended).toEqual([7, 8n, 9, 10n]);
});

test("a reload tells what has changed, and a line for each fault of the settings", async () => {
  const change = { name: "log-level", before: "info", after: undefined, source: "" };
  let outcome: ReloadOutcome = {
    type: "applied",
    changed: [change],
    pending: [{ ...change, name: "cell", reason: "why not" }],
  };
  await using pooler = await startServer({ operations: operations({ reload: () => outcome }) });
  expect(await pooler.client.reloadConfig({})).toEqual({
    changed: [change],
    pending: [{ change: { ...change, name: "cell" }, reason: "why not" }],
  });
  outcome = { type: "refused", problems: ["--one: is wrong", "--two: is too"] };
  await expect(pooler.client.reloadConfig({})).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: "--one: is wrong\n--two: is too",
  });
});

test("a server without a program behind it says that it does not offer them", async () => {
  await using pooler = await startServer();
  for (const call of [pooler.client.reloadConfig({}), pooler.client.getActivity()]) {
    await expect(call).rejects.toMatchObject({ code: "UNIMPLEMENTED" });
  }
});
