import type {
  Follower,
  PoolerIdentity,
  PrimaryConnInfo as ConnInfo,
  PrimaryStatus as Primary,
  ReplicationStats as Stats,
  ReplicationStatus as Status,
  SynchronousReplication,
} from "@multipooler/manager";
import { ID_ComponentType } from "@multipooler/proto/clustermetadata";
import type { ID } from "@multipooler/proto/clustermetadata";
import type { Duration } from "@multipooler/proto/duration";
import type {
  FollowerInfo,
  GetFollowersResponse,
  PrimaryConnInfo,
  PrimaryStatus,
  ReplicationStats,
  ReplicationStatus,
  SynchronousReplicationConfiguration,
} from "@multipooler/proto/replication-v1";
import { durationMessage } from "./duration-message.ts";
import { COMMITS, METHODS } from "./replication-enum.ts";

/** The replication of a standby as the wire carries it. */
export function replicationStatusMessage(status: Status): ReplicationStatus {
  return {
    lastReplayLsn: status.lastReplayLsn ?? "",
    lastReceiveLsn: status.lastReceiveLsn ?? "",
    isWalReplayPaused: status.isReplayPaused,
    walReplayPauseState: status.pauseState,
    lastXactReplayTime: status.lastXactReplayTimestamp,
    primaryConnInfo: status.primaryConnInfo && connInfoMessage(status.primaryConnInfo),
    walReceiverStatus: status.walReceiver ?? "",
  };
}

/** The replication of a primary. */
export function primaryStatusMessage({ lsn, followers, synchronous }: Primary): PrimaryStatus {
  return {
    lsn,
    connectedFollowers: followers.flatMap(({ pooler, stats }) =>
      pooler === undefined || stats === undefined ? [] : [poolerIdMessage(pooler)],
    ),
    syncReplicationConfig: synchronous && synchronousMessage(synchronous),
  };
}

/** Those who follow a primary. */
export function followersMessage({
  followers,
  synchronous,
}: Pick<Primary, "followers" | "synchronous">): GetFollowersResponse {
  return {
    followers: followers.map(followerMessage),
    syncConfig: synchronous && synchronousMessage(synchronous),
  };
}

function connInfoMessage({ host, port, user, applicationName, raw }: ConnInfo): PrimaryConnInfo {
  return { host, port: port ?? 0, user, applicationName, raw };
}

/** For whom a primary waits, as the wire has it. */
export function synchronousMessage(
  configuration: SynchronousReplication,
): SynchronousReplicationConfiguration {
  const { commit, method, count, standbys } = configuration;
  return {
    synchronousCommit: COMMITS[commit],
    synchronousMethod: METHODS[method],
    numSync: count,
    standbyIds: standbys.map(poolerIdMessage),
  };
}

function followerMessage({ pooler, applicationName, stats }: Follower): FollowerInfo {
  return {
    followerId: pooler && poolerIdMessage(pooler),
    applicationName,
    isConnected: stats !== undefined,
    replicationStats: stats && statsMessage(stats),
  };
}

function statsMessage(stats: Stats): ReplicationStats {
  return {
    pid: stats.processId,
    clientAddr: stats.clientAddress ?? "",
    state: stats.state,
    syncState: stats.syncState,
    sentLsn: stats.sentLsn ?? "",
    writeLsn: stats.writeLsn ?? "",
    flushLsn: stats.flushLsn ?? "",
    replayLsn: stats.replayLsn ?? "",
    writeLag: lagMessage(stats.writeLagMs),
    flushLag: lagMessage(stats.flushLagMs),
    replayLag: lagMessage(stats.replayLagMs),
  };
}

function lagMessage(ms: number | undefined): Duration | undefined {
  return ms === undefined ? undefined : durationMessage(ms);
}

function poolerIdMessage({ cell, name }: PoolerIdentity): ID {
  return { component: ID_ComponentType.MULTIPOOLER, cell, name };
}
