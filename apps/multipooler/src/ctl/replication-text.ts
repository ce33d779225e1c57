import { hostAndPort } from "@multipooler/manager";
import type { Duration } from "@multipooler/proto/duration";
import {
  SynchronousMethod,
  synchronousCommitLevelToJSON,
  synchronousMethodToJSON,
} from "@multipooler/proto/replication-v1";
import type {
  FollowerInfo,
  GetFollowersResponse,
  PrimaryStatus,
  ReplicationStatus,
  SynchronousReplicationConfiguration,
} from "@multipooler/proto/replication-v1";
import { tableText } from "@multipooler/text-table";
import { shortTime } from "./short-time.ts";
import { milliseconds, shortAge, word } from "./status-words.ts";

/** What a standby says of its replication, one fact a line. */
export function standbyText(status: ReplicationStatus): string {
  const { primaryConnInfo, lastXactReplayTime: replayedAt } = status;
  const follows =
    primaryConnInfo === undefined
      ? "nobody"
      : `${hostAndPort(primaryConnInfo.host, primaryConnInfo.port)} as ${primaryConnInfo.applicationName}`;
  return tableText([
    ["follows", follows],
    ["receiver", status.walReceiverStatus || "none"],
    ["received", status.lastReceiveLsn || "nothing"],
    ["replayed", status.lastReplayLsn || "nothing"],
    ["replay", status.walReplayPauseState],
    ["last commit", replayedAt === undefined ? "none" : shortTime(replayedAt)],
  ]);
}

/** What a primary says of its replication, one fact a line. */
export function primaryText(status: PrimaryStatus): string {
  const followers = status.connectedFollowers.map(({ cell, name }) => `${cell}/${name}`);
  return tableText([
    ["written", status.lsn],
    ["followers", followers.join(", ") || "none"],
    ["waits for", synchronousText(status.syncReplicationConfig)],
  ]);
}

/** A line for each that follows a primary or is waited for, and what commits wait for. */
export function followersText({ followers, syncConfig }: GetFollowersResponse): string {
  const header = ["name", "state", "sync", "sent", "flushed", "replayed", "lag", "address"];
  const rows = followers.map(followerRow);
  const table = rows.length === 0 ? "No followers.\n" : tableText([header, ...rows]);
  return `${table}Commits wait for ${synchronousText(syncConfig)}.\n`;
}

function followerRow({
  followerId,
  applicationName,
  replicationStats: stats,
}: FollowerInfo): readonly string[] {
  const name = followerId === undefined ? applicationName : `${followerId.cell}/${followerId.name}`;
  return stats === undefined
    ? [name, "not connected"]
    : [
        name,
        stats.state || "?",
        stats.syncState || "?",
        stats.sentLsn || "?",
        stats.flushLsn || "?",
        stats.replayLsn || "?",
        lagText(stats.replayLag),
        stats.clientAddr || "local",
      ];
}

/** PostgreSQL tells a lag only while there is something to replay. */
function lagText(lag: Duration | undefined): string {
  return lag === undefined ? "-" : shortAge(milliseconds(lag));
}

/** For whom a primary waits at commit. */
export function synchronousText(config: SynchronousReplicationConfiguration | undefined): string {
  if (config === undefined || config.standbyIds.length === 0) {
    return "no pooler";
  }
  const commit = word(
    synchronousCommitLevelToJSON(config.synchronousCommit),
    "SYNCHRONOUS_COMMIT_LEVEL_",
  ).toLowerCase();
  const isAny = config.synchronousMethod === SynchronousMethod.SYNCHRONOUS_METHOD_ANY;
  const method = isAny
    ? "any"
    : word(synchronousMethodToJSON(config.synchronousMethod), "SYNCHRONOUS_METHOD_").toLowerCase();
  const names = config.standbyIds.map(({ cell, name }) => `${cell}/${name}`).join(", ");
  return `${method} ${config.numSync} of ${names} (synchronous_commit ${commit})`;
}
