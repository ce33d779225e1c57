import type { PoolerActivity } from "@multipooler/grpc-services";
import { expect, test } from "vitest";
import { holderRows } from "./holder-rows.ts";

const NOW_MS = 1_000_000;

type Client = PoolerActivity["clients"][number];

function client(id: number, state: Client["state"]): Client {
  return {
    id,
    identity: { user: "shop", database: "orders", applicationName: "web" },
    state,
    address: "10.0.0.1",
    port: 4000 + id,
    connectedAt: 0,
    tls: "",
  };
}

function reservation(id: bigint, processId: number): PoolerActivity["reservations"][number] {
  return {
    id,
    database: "orders",
    user: "gateway",
    reasons: ["Transaction"],
    processId,
    sinceMs: NOW_MS - 9000,
    idleMs: 4000,
  };
}

test("sessions and reservations that hold a connection are named with why and for how long", () => {
  const { holders, moreHolders } = holderRows({
    clients: [
      client(1, { type: "idle" }),
      client(2, { type: "running", sinceMs: NOW_MS - 50 }),
      client(3, { type: "queued", sinceMs: NOW_MS - 70_000 }),
      client(4, { type: "pinned", reason: "Transaction", sinceMs: NOW_MS - 60_000 }),
      client(5, undefined),
      client(6, { type: "pinned", reason: "SessionState", sinceMs: NOW_MS - 20 }),
    ],
    reservations: [reservation(7n, 4711), reservation(8n, 0)],
    nowMs: NOW_MS,
  });
  expect(moreHolders).toBe(0);
  expect(holders.map(({ who, why, forMs }) => [who, why, forMs])).toEqual([
    ["client 4", "idle in transaction", 60_000],
    ["reservation 7", "reserved: transaction, nothing for 4 s", 9000],
    ["client 2", "a statement runs", 50],
    ["client 6", "keeps session state", 20],
  ]);
  expect(holders[2]).toMatchObject({ address: "10.0.0.1:4002", application: "web" });
});

test("a report stays small however many hold one", () => {
  const clients = Array.from({ length: 80 }, (_, id) =>
    client(id, { type: "running", sinceMs: NOW_MS - id }),
  );
  const { holders, moreHolders } = holderRows({ clients, reservations: [], nowMs: NOW_MS });
  expect([holders.length, moreHolders, holders[0]?.who]).toEqual([50, 30, "client 79"]);
});
