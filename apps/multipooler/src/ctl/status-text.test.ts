import {
  HeartbeatMode,
  ManagerState,
  PoolerRole,
  PoolerType,
  PoolerTypeSource,
  ServingStatus,
  StatusResponse,
  TransitionOutcome,
} from "@multipooler/proto/manager-v1";
import { expect, test } from "vitest";
import { statusText } from "./status-text.ts";

const STARTED = new Date("2026-11-23T10:00:00Z");

test("a serving primary", () => {
  const text = statusText(
    StatusResponse.fromPartial({
      state: ManagerState.MANAGER_STATE_READY,
      ready: true,
      poolerId: { cell: "zone1", name: "a" },
      shardKey: { database: "postgres", tableGroup: "default", shard: "0-inf" },
      poolerType: PoolerType.POOLER_TYPE_PRIMARY,
      role: PoolerRole.POOLER_ROLE_PRIMARY,
      serving: { current: ServingStatus.SERVING_STATUS_SERVING, reason: "PostgreSQL is primary" },
      database: {
        address: "127.0.0.1:5432",
        reachable: true,
        inRecovery: false,
        serverVersion: "17.10",
        connectionsUsed: 4,
        connectionsLimit: 97,
      },
      topology: {
        implementation: "memory",
        registered: true,
        shardPrimary: { cell: "zone1", name: "a" },
        shardPrimaryAddress: "db1:15270",
      },
      heartbeat: {
        mode: HeartbeatMode.HEARTBEAT_MODE_WRITER,
        lastWrittenTime: new Date("2026-11-23T11:02:02.750Z"),
      },
      startTime: STARTED,
      version: "0.1.0",
    }),
    new Date("2026-11-23T11:02:03Z"),
  );
  expect(text).toBe(
    [
      "pooler       zone1/a, version 0.1.0",
      "state        ready",
      "ready        yes",
      "up for       1 h 2 min",
      "shard        postgres, default, 0-inf",
      "type         PRIMARY",
      "role         PRIMARY",
      "serving      SERVING (PostgreSQL is primary)",
      "database     127.0.0.1:5432: PostgreSQL 17.10, out of recovery",
      "connections  4 of 97",
      "topology     memory: registered",
      "heartbeat    written 250 ms ago",
      "",
    ].join("\n"),
  );
});

test("a drained pooler says who wanted it, how it came about and what drains have done", () => {
  const text = statusText(
    StatusResponse.fromPartial({
      serving: { current: ServingStatus.SERVING_STATUS_DRAINED, reason: "an upgrade" },
      notReadyReason: "an upgrade",
      intent: {
        status: ServingStatus.SERVING_STATUS_DRAINED,
        reason: "an upgrade",
        sinceTime: STARTED,
        notRememberedReason: "no directory",
      },
      transitions: [
        {
          startTime: STARTED,
          fromStatus: ServingStatus.SERVING_STATUS_SERVING,
          fromRole: PoolerRole.POOLER_ROLE_PRIMARY,
          toStatus: ServingStatus.SERVING_STATUS_DRAINED,
          toRole: PoolerRole.POOLER_ROLE_REPLICA,
          outcome: TransitionOutcome.TRANSITION_OUTCOME_REACHED,
          duration: { seconds: 1n, nanos: 500_000_000 },
        },
      ],
      drains: { completed: 2n, cut: 1n, cutRequests: 3n, longest: { seconds: 3n, nanos: 0 } },
    }),
    new Date("2026-11-23T10:00:05Z"),
  );
  const lines = text.split("\n").filter((line) => /^(serving|operator|last|drains)/.test(line));
  expect(lines.map((line) => line.replace(/ {2,}/, ": "))).toEqual([
    "serving: DRAINED",
    "operator: DRAINED since 2026-11-23 10:00:00Z (an upgrade); a restart forgets it: no directory",
    "last change: 5 s ago, SERVING PRIMARY to DRAINED REPLICA: reached in 1.5 s",
    "drains: 2 completed, 1 cut with 3 requests, 0 reversed, 0 aborted; longest 3.0 s",
  ]);
});

test("a pooler whose database is away says why", () => {
  const text = statusText(
    StatusResponse.fromPartial({
      state: ManagerState.MANAGER_STATE_STARTING,
      notReadyReason: "PostgreSQL refuses connections",
      serving: {
        current: ServingStatus.SERVING_STATUS_NOT_SERVING,
        wanted: ServingStatus.SERVING_STATUS_SERVING,
      },
      database: { address: "/run/s", lastError: "connect ENOENT /run/s" },
      topology: { implementation: "etcd", lastError: "no endpoint answers" },
      startTime: STARTED,
    }),
    STARTED,
  );
  expect(text).toContain("ready        no (PostgreSQL refuses connections)\n");
  expect(text).toContain("up for       0 s\n");
  expect(text).toContain("type         UNKNOWN\n");
  expect(text).toContain("role         not known yet\n");
  expect(text).toContain("serving      NOT_SERVING, becoming SERVING\n");
  expect(text).toContain("database     /run/s: not reachable (connect ENOENT /run/s)\n");
  expect(text).toContain("topology     etcd: not registered (no endpoint answers)\n");
});

test("one reason for everything is given once", () => {
  const reason = "PostgreSQL at 127.0.0.1:5432 cannot be reached";
  const text = statusText(
    StatusResponse.fromPartial({
      notReadyReason: reason,
      serving: { current: ServingStatus.SERVING_STATUS_NOT_SERVING, reason },
      database: { address: "127.0.0.1:5432", lastError: reason },
    }),
    STARTED,
  );
  expect(text).toContain(`ready        no (${reason})\n`);
  expect(text).toContain("serving      NOT_SERVING\n");
  expect(text).toContain("database     127.0.0.1:5432: not reachable\n");
});

test.each([
  [{ registered: true }, "etcd: registered"],
  [
    { registered: true, lastError: "no server answers", awaySinceTime: STARTED },
    "etcd: away since 2026-11-23 10:00:00Z (no server answers)",
  ],
  [
    { registered: false, lastError: "no server answers", awaySinceTime: STARTED },
    "etcd: away since 2026-11-23 10:00:00Z (no server answers); not registered yet",
  ],
  [
    { registered: true, lastError: "the record is damaged" },
    "etcd: registered (the record is damaged)",
  ],
])("topology %j reads %s", (topology, text) => {
  const status = StatusResponse.fromPartial({ topology: { implementation: "etcd", ...topology } });
  expect(statusText(status, STARTED)).toContain(`topology  ${text}\n`);
});

test("a type that is only remembered says so", () => {
  const status = StatusResponse.fromPartial({
    poolerType: PoolerType.POOLER_TYPE_PRIMARY,
    topology: { typeSource: PoolerTypeSource.POOLER_TYPE_SOURCE_LOCAL_MEMORY },
  });
  expect(statusText(status, STARTED)).toMatch(
    /^type +PRIMARY, as remembered from an earlier run$/m,
  );
});

test("a configured type that the record contradicts is named beside it", () => {
  const status = StatusResponse.fromPartial({
    poolerType: PoolerType.POOLER_TYPE_REPLICA,
    topology: { ignoredType: PoolerType.POOLER_TYPE_PRIMARY },
  });
  expect(statusText(status, STARTED)).toMatch(
    /^type +REPLICA \(--initial-pooler-type primary is for a pooler that the topology does not know yet\)$/m,
  );
});

test.each([
  ["off", { mode: HeartbeatMode.HEARTBEAT_MODE_OFF }],
  ["not written yet", { mode: HeartbeatMode.HEARTBEAT_MODE_WRITER }],
  [
    "written 3 min 0 s ago (no synchronous standby confirmed the heartbeat)",
    {
      mode: HeartbeatMode.HEARTBEAT_MODE_WRITER,
      lastWrittenTime: new Date("2026-11-23T09:57:00Z"),
      lastError: "no synchronous standby confirmed the heartbeat",
    },
  ],
  [
    // The clocks of two machines differ.
    "written 0 ms ago",
    {
      mode: HeartbeatMode.HEARTBEAT_MODE_WRITER,
      lastWrittenTime: new Date("2026-11-23T10:00:01Z"),
    },
  ],
  ["lag not known", { mode: HeartbeatMode.HEARTBEAT_MODE_READER }],
  [
    "lag 42 ms",
    { mode: HeartbeatMode.HEARTBEAT_MODE_READER, lag: { seconds: 0n, nanos: 42_000_000 } },
  ],
  [
    "lag 12.3 s, 4096 bytes behind (no new heartbeat for 12340 ms)",
    {
      mode: HeartbeatMode.HEARTBEAT_MODE_READER,
      lag: { seconds: 12n, nanos: 340_000_000 },
      behindBytes: 4096n,
      lastError: "no new heartbeat for 12340 ms",
    },
  ],
])("a heartbeat reads: %s", (text, heartbeat) => {
  const lines = statusText(StatusResponse.fromPartial({ heartbeat }), STARTED).split("\n");
  expect(lines.find((line) => line.startsWith("heartbeat"))).toMatch(
    new RegExp(`^heartbeat +${RegExp.escape(text)}$`),
  );
});

test("a former primary, whose term names no leader, tells who takes the writes by the topology", () => {
  const text = statusText(
    StatusResponse.fromPartial({
      term: { termNumber: 5n },
      topology: { shardPrimary: { cell: "zone1", name: "b" }, shardPrimaryAddress: "db2:15270" },
    }),
    STARTED,
  );
  expect(text).toMatch(/^term +5: zone1\/b takes the writes, as the topology says$/m);
});

test("a call that changes something is named while it runs", () => {
  const runningAction = { name: "Promote", startTime: STARTED };
  const text = statusText(
    StatusResponse.fromPartial({ runningAction }),
    new Date(STARTED.getTime() + 1500),
  );
  expect(text).toMatch(/^action +Promote, which has run for 1\.5 s$/m);
  expect(statusText(StatusResponse.fromPartial({}), STARTED)).not.toMatch(/^action/m);
});
