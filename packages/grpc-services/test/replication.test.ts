import { ManagerError } from "@multipooler/manager";
import {
  ReplicationPauseMode,
  StandbyUpdateOperation,
  SynchronousCommitLevel,
  SynchronousMethod,
} from "@multipooler/proto/replication-v1";
import { expect, test } from "vitest";
import { startServer } from "./test-server.ts";

const B = { component: 1, cell: "zone1", name: "b" } as const;
const LSN = "0/3000060";

test("a wait for a position is told with its time", async () => {
  await using pooler = await startServer();
  const { replication } = pooler.client;
  await replication.waitForLSN({ targetLsn: LSN, timeout: { seconds: 1n, nanos: 500_000_000 } });
  await replication.waitForLSN({ targetLsn: LSN });
  expect(pooler.manager.replication.asked).toEqual([
    ["wait for", LSN, 1500],
    ["wait for", LSN, undefined],
  ]);
  await expect(
    replication.waitForLSN({ targetLsn: LSN, timeout: { seconds: -1n, nanos: 0 } }),
  ).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: "timeout is -1000 ms; it must not be negative",
  });
});

test("a standby is told whom to follow, and by which right", async () => {
  await using pooler = await startServer();
  const { replication } = pooler.client;
  const request = { host: "db", port: 5432, startReplicationAfter: true };
  await replication.setPrimaryConnInfo({ ...request, currentTerm: 7n });
  await replication.setPrimaryConnInfo({ ...request, forceReason: "the orchestrator is gone" });
  const follow = { host: "db", port: 5432, pausesReplayBefore: false, resumesReplayAfter: true };
  expect(pooler.manager.replication.asked).toEqual([
    ["follow", follow, { term: 7n, force: undefined }],
    ["follow", follow, { term: 0n, force: "the orchestrator is gone" }],
  ]);
});

test("replay and receiver are stopped and started, and the status is the answer", async () => {
  await using pooler = await startServer();
  const { replication } = pooler.client;
  pooler.manager.replication.status = {
    lastReplayLsn: LSN,
    lastReceiveLsn: "0/4000000",
    isReplayPaused: true,
    pauseState: "paused",
    lastXactReplayTimestamp: new Date("2026-01-02T03:04:05.678Z"),
    primaryConnInfo: {
      host: "db",
      port: undefined,
      user: "u",
      applicationName: "zone1_b",
      raw: "host=db",
    },
    walReceiver: "streaming",
  };
  const status = {
    lastReplayLsn: LSN,
    lastReceiveLsn: "0/4000000",
    isWalReplayPaused: true,
    walReplayPauseState: "paused",
    lastXactReplayTime: new Date("2026-01-02T03:04:05.678Z"),
    primaryConnInfo: { host: "db", port: 0, user: "u", applicationName: "zone1_b", raw: "host=db" },
    walReceiverStatus: "streaming",
  };
  const { REPLICATION_PAUSE_MODE_REPLAY, REPLICATION_PAUSE_MODE_RECEIVER } = ReplicationPauseMode;
  const both = ReplicationPauseMode.REPLICATION_PAUSE_MODE_REPLAY_AND_RECEIVER;
  const stop = replication.stopReplication.bind(replication);
  expect(await stop({ mode: REPLICATION_PAUSE_MODE_REPLAY, wait: true })).toEqual({ status });
  await stop({ mode: REPLICATION_PAUSE_MODE_RECEIVER });
  await stop({ mode: both });
  await replication.startReplication();
  expect(await replication.resetReplication()).toEqual({ status });
  expect(await replication.replicationStatus()).toEqual({ status });
  expect(pooler.manager.replication.asked).toEqual([
    ["stop", "replay", true],
    ["stop", "receiver", false],
    ["stop", "replay and receiver", false],
    ["start"],
    ["reset"],
    ["status"],
  ]);
});

test("what is not known is left out of the status", async () => {
  await using pooler = await startServer();
  expect(await pooler.client.replication.replicationStatus()).toEqual({
    status: {
      lastReplayLsn: "",
      lastReceiveLsn: "",
      isWalReplayPaused: false,
      walReplayPauseState: "not paused",
      lastXactReplayTime: undefined,
      primaryConnInfo: undefined,
      walReceiverStatus: "",
    },
  });
});

test("a primary is told for whom to wait", async () => {
  await using pooler = await startServer();
  const { replication } = pooler.client;
  await replication.configureSynchronousReplication({
    configuration: {
      synchronousCommit: SynchronousCommitLevel.SYNCHRONOUS_COMMIT_LEVEL_REMOTE_APPLY,
      synchronousMethod: SynchronousMethod.SYNCHRONOUS_METHOD_ANY,
      numSync: 1,
      standbyIds: [B],
    },
  });
  await replication.configureSynchronousReplication({
    configuration: { synchronousCommit: SynchronousCommitLevel.SYNCHRONOUS_COMMIT_LEVEL_ON },
  });
  await replication.updateSynchronousStandbyList({
    operation: StandbyUpdateOperation.STANDBY_UPDATE_OPERATION_REMOVE,
    standbyIds: [B],
    consensusTerm: 3n,
  });
  expect(pooler.manager.replication.asked).toEqual([
    [
      "synchronous",
      {
        commit: "remote_apply",
        method: "any",
        count: 1,
        standbys: [{ cell: "zone1", name: "b" }],
      },
    ],
    ["synchronous", { commit: "on", method: "first", count: 0, standbys: [] }],
    [
      "standbys",
      { operation: "remove", standbys: [{ cell: "zone1", name: "b" }] },
      { term: 3n, force: undefined },
    ],
  ]);
});

test("what says nothing is refused by name, and the manager is not asked", async () => {
  await using pooler = await startServer();
  const { replication } = pooler.client;
  const refusals = [
    [replication.stopReplication({}), /^mode is 0; it must be one of replay \(1\), receiver \(2\)/],
    [
      replication.updateSynchronousStandbyList({ standbyIds: [B] }),
      /^operation must be specified$/,
    ],
    [replication.configureSynchronousReplication({}), /^configuration must be given$/],
    [
      replication.configureSynchronousReplication({ configuration: {} }),
      /^synchronous_commit is 0; it must be one of off \(1\), local \(2\)/,
    ],
    [
      replication.configureSynchronousReplication({
        configuration: { synchronousCommit: 4, standbyIds: [B] },
      }),
      /^synchronous_method is 0; it must be one of first \(1\), any \(2\)$/,
    ],
    [
      replication.configureSynchronousReplication({
        configuration: {
          synchronousCommit: 4,
          synchronousMethod: 1,
          standbyIds: [{ ...B, component: 2 }],
        },
      }),
      /^standby_ids\[0\]\.component is 2; it must be MULTIPOOLER \(1\)$/,
    ],
  ] as const;
  for (const [call, message] of refusals) {
    await expect(call).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(message),
    });
  }
  expect(pooler.manager.replication.asked).toEqual([]);
});

test("a primary tells of those who follow it and of those that it waits for", async () => {
  await using pooler = await startServer();
  const { replication } = pooler.client;
  const stats = {
    processId: 42,
    clientAddress: undefined,
    state: "streaming",
    syncState: "quorum",
    sentLsn: "0/4",
    writeLsn: "0/3",
    flushLsn: "0/2",
    replayLsn: "0/1",
    writeLagMs: undefined,
    flushLagMs: 1.5,
    replayLagMs: 2000,
  };
  pooler.manager.replication.primary = {
    lsn: LSN,
    followers: [
      { applicationName: "zone1_c", pooler: { cell: "zone1", name: "c" }, stats: undefined },
      { applicationName: "zone1_b", pooler: { cell: "zone1", name: "b" }, stats },
      { applicationName: "walreceiver", pooler: undefined, stats },
    ],
    synchronous: {
      commit: "on",
      method: "any",
      count: 1,
      standbys: [{ cell: "zone1", name: "c" }],
    },
  };
  const configuration = {
    synchronousCommit: SynchronousCommitLevel.SYNCHRONOUS_COMMIT_LEVEL_ON,
    synchronousMethod: SynchronousMethod.SYNCHRONOUS_METHOD_ANY,
    numSync: 1,
    standbyIds: [{ ...B, name: "c" }],
  };
  expect(await replication.primaryStatus()).toEqual({
    status: { lsn: LSN, connectedFollowers: [B], syncReplicationConfig: configuration },
  });
  expect(await replication.primaryPosition()).toEqual({ lsnPosition: LSN });
  const { followers, syncConfig } = await replication.getFollowers();
  expect(syncConfig).toEqual(configuration);
  expect(followers.map(({ followerId, isConnected }) => [followerId?.name, isConnected])).toEqual([
    ["c", false],
    ["b", true],
    [undefined, true],
  ]);
  expect(followers[1]?.replicationStats).toEqual({
    pid: 42,
    clientAddr: "",
    state: "streaming",
    syncState: "quorum",
    sentLsn: "0/4",
    writeLsn: "0/3",
    flushLsn: "0/2",
    replayLsn: "0/1",
    writeLag: undefined,
    flushLag: { seconds: 0n, nanos: 1_500_000 },
    replayLag: { seconds: 2n, nanos: 0 },
  });
});

test("the manager's refusals arrive with their codes, and the end of a call ends its wait", async () => {
  await using pooler = await startServer();
  const { replication } = pooler.client;
  for (const [code, expected] of [
    ["FAILED_PRECONDITION", "FAILED_PRECONDITION"],
    ["LOCK_NOT_ACQUIRED", "DEADLINE_EXCEEDED"],
    ["TIMED_OUT", "DEADLINE_EXCEEDED"],
    ["NOT_OPEN", "UNAVAILABLE"],
    ["UNSUPPORTED", "UNIMPLEMENTED"],
  ] as const) {
    pooler.manager.replication.answer = () => Promise.reject(new ManagerError(code, "as told"));
    await expect(replication.startReplication()).rejects.toMatchObject({
      code: expected,
      message: "as told",
    });
  }
  const asked = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  pooler.manager.replication.answer = async (signal) => {
    const { promise, reject } = Promise.withResolvers<void>();
    signal?.addEventListener("abort", () => {
      ended.resolve();
      reject(signal.reason);
    });
    asked.resolve();
    await promise;
  };
  const abort = new AbortController();
  const waiting = replication.waitForLSN({ targetLsn: LSN }, { signal: abort.signal });
  const cancelled = expect(waiting).rejects.toMatchObject({ code: "CANCELLED" });
  await asked.promise;
  abort.abort();
  await Promise.all([cancelled, ended.promise]);
});
