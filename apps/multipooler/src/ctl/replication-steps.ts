import { GrpcStatusError } from "@multipooler/grpc-services/client";
import { hostAndPort } from "@multipooler/manager";
import type { GetFollowersResponse, ReplicationStatus } from "@multipooler/proto/replication-v1";
import type { Step } from "./explanation.ts";
import type { PoolerCall } from "./pooler-call.ts";
import type { PrimaryAddress } from "./primary-address.ts";
import type {
  SetPrimaryOptions,
  StandbyListOperation,
  StandbyListOptions,
  StopOptions,
  SynchronousOptions,
  TermOptions,
} from "./replication-commands.ts";
import { synchronousText } from "./replication-text.ts";

// What is asked for here is refused by the pooler exactly where the change would be.

/** What `ctl wait-lsn` would do. */
export async function waitSteps(
  targetLsn: string,
  { client, request }: PoolerCall,
): Promise<readonly Step[]> {
  const { status } = await client.replication.replicationStatus(request);
  const { lastReplayLsn = "" } = status ?? {};
  const replayed = lastReplayLsn === "" ? "nothing" : lastReplayLsn;
  const explanation = `wait until ${targetLsn} is replayed; the standby has replayed ${replayed}`;
  try {
    await client.replication.waitForLSN({ targetLsn, timeout: {} }, request);
    return [{ name: "wait", explanation, needed: false }];
  } catch (error) {
    if (error instanceof GrpcStatusError && error.code === "DEADLINE_EXCEEDED") {
      return [{ name: "wait", explanation, needed: true }];
    }
    throw error;
  }
}

/** What `ctl set-primary` would do. */
export async function followSteps(
  { host, port }: PrimaryAddress,
  options: SetPrimaryOptions,
  call: PoolerCall,
): Promise<readonly Step[]> {
  const standby = await standbyOf(call);
  const { primaryConnInfo, isWalReplayPaused: isPaused } = standby;
  const follows = primaryConnInfo?.host === host && primaryConnInfo.port === port;
  const pause = { name: "pause replay", explanation: "pause the replay", needed: !isPaused };
  const isPausedThen = isPaused || options.pauseBefore;
  return [
    ...(await termSteps(options, call)),
    ...(options.pauseBefore ? [pause] : []),
    {
      name: "follow",
      explanation: `set primary_conninfo to ${hostAndPort(host, port)} in place of ${followedBy(standby)}, and reload`,
      needed: !follows,
    },
    ...(options.resumeAfter ? [resumeStep(isPausedThen)] : []),
  ];
}

/** What `ctl replication start` would do. */
export async function startSteps(call: PoolerCall): Promise<readonly Step[]> {
  return [resumeStep((await standbyOf(call)).isWalReplayPaused)];
}

/** What `ctl replication stop` would do. */
export async function stopSteps(
  { mode }: Pick<StopOptions, "mode">,
  call: PoolerCall,
): Promise<readonly Step[]> {
  const standby = await standbyOf(call);
  const needed = !standby.isWalReplayPaused;
  const pause = { name: "pause replay", explanation: "pause the replay", needed };
  return [
    ...(mode === "replay" ? [] : [unfollowStep(standby)]),
    ...(mode === "receiver" ? [] : [pause]),
  ];
}

/** What `ctl replication reset` would do. */
export async function resetSteps(call: PoolerCall): Promise<readonly Step[]> {
  return [unfollowStep(await standbyOf(call))];
}

/** What `ctl replication synchronous` would do. */
export async function synchronousSteps(
  standbys: readonly string[],
  { commit, method, count }: SynchronousOptions,
  call: PoolerCall,
): Promise<readonly Step[]> {
  const now = synchronousText((await followersOf(call)).syncConfig);
  const wanted =
    standbys.length === 0
      ? "no pooler"
      : `${method} ${count} of ${standbys.join(", ")} (synchronous_commit ${commit})`;
  const explanation = `have commits wait for ${wanted} in place of ${now}, and reload`;
  return [{ name: "configure commits", explanation, needed: wanted !== now }];
}

/** What `ctl replication standbys` would do. */
export async function standbyListSteps(
  { operation, standbys }: { operation: StandbyListOperation; standbys: readonly string[] },
  options: StandbyListOptions,
  call: PoolerCall,
): Promise<readonly Step[]> {
  const { syncConfig } = await followersOf(call);
  if (syncConfig === undefined) {
    throw new Error("synchronous replication is not configured: see `ctl replication synchronous`");
  }
  const list = syncConfig.standbyIds.map(({ cell, name }) => `${cell}/${name}`);
  const changed = changedList(operation, list, standbys);
  if (changed.length === 0) {
    throw new Error("resulting standby list cannot be empty after operation");
  }
  return [
    ...(await termSteps(options, call)),
    {
      name: "configure commits",
      explanation: `have commits wait for ${changed.join(", ")} in place of ${list.join(", ")}, and reload`,
      needed: changed.join() !== list.join(),
    },
  ];
}

function changedList(
  operation: StandbyListOperation,
  list: readonly string[],
  standbys: readonly string[],
): readonly string[] {
  switch (operation) {
    case "add":
      return [...list, ...standbys.filter((name) => !list.includes(name))];
    case "remove":
      return list.filter((name) => !standbys.includes(name));
    case "replace":
      return standbys;
  }
}

async function standbyOf({ client, request }: PoolerCall): Promise<ReplicationStatus> {
  const { status } = await client.replication.replicationStatus(request);
  if (status === undefined) {
    throw new Error("the pooler does not tell what its standby does");
  }
  return status;
}

function followersOf({ client, request }: PoolerCall): Promise<GetFollowersResponse> {
  return client.replication.getFollowers(request);
}

function followedBy({ primaryConnInfo }: ReplicationStatus): string {
  return primaryConnInfo === undefined
    ? "nobody"
    : hostAndPort(primaryConnInfo.host, primaryConnInfo.port);
}

function unfollowStep(standby: ReplicationStatus): Step {
  return {
    name: "follow nobody",
    explanation: `reset primary_conninfo, which names ${followedBy(standby)}, and reload`,
    needed: standby.primaryConnInfo !== undefined,
  };
}

function resumeStep(isPaused: boolean): Step {
  return { name: "resume replay", explanation: "resume the replay", needed: isPaused };
}

/** A newer term is adopted with the change, a stale one refuses it. */
async function termSteps(
  { term, force }: TermOptions,
  { client, request }: PoolerCall,
): Promise<readonly Step[]> {
  if (force !== "") {
    return [];
  }
  const { term: own } = await client.consensus.status(request);
  const known = own?.termNumber ?? 0n;
  if (known === 0n) {
    throw new Error("the pooler has no term yet: see `ctl term --set`, or give --force");
  }
  if (term < known) {
    throw new Error(`term ${term} is older than the pooler's ${known}: give --term or --force`);
  }
  return [
    { name: "adopt term", explanation: `go from term ${known} to ${term}`, needed: term > known },
  ];
}
