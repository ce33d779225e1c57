import type { HeartbeatStatus } from "@multipooler/manager";
import { expect, test } from "vitest";
import { parseLagLimit } from "./lag-limit.ts";
import { trafficRefusal } from "./traffic-check.ts";
import type { Traffic } from "./traffic-check.ts";

interface Situation {
  readonly role: "PRIMARY" | "REPLICA";
  readonly serving: "SERVING" | "SERVING_RDONLY";
  readonly ready?: boolean;
  readonly heartbeat?: HeartbeatStatus;
}

function refusal(
  { role, serving, ready = true, heartbeat = { mode: "off" } }: Situation,
  traffic: Traffic,
  lag?: string,
): string | undefined {
  const status = {
    ready,
    notReadyReason: ready ? undefined : "it drains",
    serving: { current: { role, status: serving, reason: "" }, wanted: undefined },
    heartbeat,
  };
  const maxLag = lag === undefined ? undefined : parseLagLimit(lag);
  return trafficRefusal(status, { traffic, maxLag });
}

const PRIMARY = { role: "PRIMARY", serving: "SERVING" } as const;
const READ_ONLY = { role: "PRIMARY", serving: "SERVING_RDONLY" } as const;
const REPLICA = { role: "REPLICA", serving: "SERVING_RDONLY" } as const;

test.each([
  { name: "a primary", situation: PRIMARY, takes: ["writes", "reads"] },
  { name: "a primary that serves reads only", situation: READ_ONLY, takes: ["reads"] },
  { name: "a replica", situation: REPLICA, takes: ["reads", "replicas"] },
  { name: "a primary that is not ready", situation: { ...PRIMARY, ready: false }, takes: [] },
  { name: "a replica that is not ready", situation: { ...REPLICA, ready: false }, takes: [] },
])("$name takes $takes", ({ situation, takes }) => {
  const all = ["writes", "reads", "replicas"] as const;
  expect(all.filter((traffic) => refusal(situation, traffic) === undefined)).toEqual(takes);
});

test("what is refused is refused for a reason", () => {
  expect(refusal(REPLICA, "writes")).toBe("the pooler is a replica");
  expect(refusal(PRIMARY, "replicas")).toBe("the pooler is the primary");
  expect(refusal(READ_ONLY, "writes")).toBe("the primary serves reads only");
  expect(refusal({ ...PRIMARY, ready: false }, "writes")).toBe("it drains");
});

test("a replica that is too far behind is refused, in WAL and in time, and so is one of unknown lag", () => {
  const reader = { mode: "reader", lastError: undefined } as const;
  const behind = { ...REPLICA, heartbeat: { ...reader, lagMs: 1500, behindBytes: 20_000 } };
  expect(refusal(behind, "replicas", "16kB")).toBe(
    "the replica is 20000 bytes behind, of 16384 bytes at most",
  );
  expect(refusal(behind, "replicas", "20000")).toBeUndefined();
  expect(refusal(behind, "reads", "1s")).toBe("the replica is 1500 ms behind, of 1000 ms at most");
  expect(refusal(behind, "reads", "2s")).toBeUndefined();
  const unknown = { ...REPLICA, heartbeat: { ...reader, lagMs: undefined } };
  expect(refusal(unknown, "replicas", "1GB")).toBe("the amount of WAL to replay is not known");
  expect(refusal(unknown, "replicas", "1h")).toBe("the age of the last heartbeat is not known");
  expect(refusal(REPLICA, "replicas", "1h")).toBe("the age of the last heartbeat is not known");
});

test("the primary is not behind itself", () => {
  expect(refusal(PRIMARY, "reads", "0")).toBeUndefined();
});
