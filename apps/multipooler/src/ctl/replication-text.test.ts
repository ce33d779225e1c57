import {
  GetFollowersResponse,
  PrimaryStatus,
  ReplicationStatus,
} from "@multipooler/proto/replication-v1";
import { expect, test } from "vitest";
import { followersText, primaryText, standbyText } from "./replication-text.ts";

const B = { component: 1, cell: "zone1", name: "b" } as const;

test("a standby that follows nobody and knows nothing says so", () => {
  const status = ReplicationStatus.fromPartial({ walReplayPauseState: "not paused" });
  expect(standbyText(status)).toBe(
    [
      "follows      nobody",
      "receiver     none",
      "received     nothing",
      "replayed     nothing",
      "replay       not paused",
      "last commit  none",
      "",
    ].join("\n"),
  );
});

test("a standby tells whom it follows and how far it is", () => {
  const status = ReplicationStatus.fromPartial({
    lastReplayLsn: "0/3",
    lastReceiveLsn: "0/4",
    walReplayPauseState: "paused",
    walReceiverStatus: "streaming",
    lastXactReplayTime: new Date("2026-01-02T03:04:05.678Z"),
    primaryConnInfo: { host: "db", port: 5432, applicationName: "zone1_b" },
  });
  expect(standbyText(status)).toBe(
    [
      "follows      db:5432 as zone1_b",
      "receiver     streaming",
      "received     0/4",
      "replayed     0/3",
      "replay       paused",
      "last commit  2026-01-02 03:04:05Z",
      "",
    ].join("\n"),
  );
});

test("a primary tells who is connected and for whom it waits", () => {
  const status = PrimaryStatus.fromPartial({
    lsn: "0/5",
    connectedFollowers: [B],
    syncReplicationConfig: {
      synchronousCommit: 4,
      synchronousMethod: 1,
      numSync: 1,
      standbyIds: [B],
    },
  });
  expect(primaryText(status)).toBe(
    [
      "written    0/5",
      "followers  zone1/b",
      "waits for  first 1 of zone1/b (synchronous_commit on)",
      "",
    ].join("\n"),
  );
});

test("each follower has a line, connected or not, a pooler or not", () => {
  const stats = {
    state: "streaming",
    syncState: "async",
    sentLsn: "0/5",
    flushLsn: "0/4",
    replayLsn: "0/3",
    replayLag: { seconds: 1n, nanos: 500_000_000 },
  };
  const response = GetFollowersResponse.fromPartial({
    followers: [
      { followerId: B, applicationName: "zone1_b", isConnected: true, replicationStats: stats },
      {
        applicationName: "walreceiver",
        isConnected: true,
        replicationStats: { clientAddr: "::1" },
      },
      { applicationName: "zone1_ghost" },
    ],
  });
  expect(followersText(response)).toBe(
    [
      "name         state          sync   sent  flushed  replayed  lag    address",
      "zone1/b      streaming      async  0/5   0/4      0/3       1.5 s  local",
      "walreceiver  ?              ?      ?     ?        ?         -      ::1",
      "zone1_ghost  not connected",
      "Commits wait for no pooler.",
      "",
    ].join("\n"),
  );
  expect(followersText(GetFollowersResponse.fromPartial({}))).toBe(
    "No followers.\nCommits wait for no pooler.\n",
  );
});
