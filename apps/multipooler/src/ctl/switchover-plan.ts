import { NotReadyCode, PoolerType } from "@multipooler/proto/manager-v1";
import type { StatusResponse } from "@multipooler/proto/manager-v1";
import { primaryAddress } from "./primary-address.ts";
import type { PrimaryAddress } from "./primary-address.ts";
import type { SwitchoverOptions } from "./promotion-commands.ts";
import type { Participant } from "./switchover-step.ts";
import { switchoverTerm } from "./switchover-term.ts";
import type { SwitchoverTerm } from "./switchover-term.ts";

/** The poolers of a switchover. */
export interface Participants {
  readonly from: Participant;
  readonly to: Participant;
  readonly followers: readonly Participant[];
}

/** What they say of themselves. */
export interface SwitchoverFacts {
  readonly primary: StatusResponse;
  readonly standby: StatusResponse;
  readonly followers: readonly StatusResponse[];
}

/** What a switchover is going to do, or has left to do where an earlier one has stopped. */
export interface SwitchoverPlan extends SwitchoverTerm {
  /** PostgreSQL of the new primary, as the others reach it. */
  readonly postgres: PrimaryAddress;
  /** Whether the former primary is demoted, or about to be, by an earlier one. */
  readonly goesOn: boolean;
  /** Whether the new primary is still a standby. */
  readonly catchesUp: boolean;
  /** Whether the new primary is one already, and for whom it waits is settled. */
  readonly isPromoted: boolean;
  readonly primary: StatusResponse;
  readonly standby: StatusResponse;
}

const { POOLER_TYPE_PRIMARY, POOLER_TYPE_REPLICA } = PoolerType;

/** Looks at all poolers. Rejects where they are not the primary and standbys of one shard. */
export async function planSwitchover(
  { from, to, followers }: Participants,
  options: SwitchoverOptions,
): Promise<SwitchoverPlan> {
  const statusOf = (pooler: Participant, what: string): Promise<StatusResponse> =>
    pooler.call(what, (client, request) => client.status(request));
  const [primary, standby, ...others] = await Promise.all([
    statusOf(from, "asking the primary"),
    statusOf(to, "asking the standby"),
    ...followers.map((follower) => statusOf(follower, "asking the follower")),
  ]);
  const facts = { primary, standby, followers: others };
  checkShard(facts);
  checkRoles(facts, options);
  const { postgresHost, postgresPort } = await to.call("asking the standby", (client, request) =>
    client.consensus.status(request),
  );
  const { poolerType, database } = standby;
  return {
    ...switchoverTerm(facts, options),
    postgres: postgresOf(options, standby, { host: postgresHost, port: postgresPort }),
    goesOn: primary.poolerType === POOLER_TYPE_REPLICA,
    catchesUp: poolerType === POOLER_TYPE_REPLICA && database?.inRecovery !== false,
    isPromoted: poolerType === POOLER_TYPE_PRIMARY && !isChanging(standby),
    primary,
    standby,
  };
}

/** Either nothing was begun, or what an earlier switchover has left is found. */
function checkRoles(facts: SwitchoverFacts, { from, to }: SwitchoverOptions): void {
  const { primary, standby } = facts;
  const isStandby = standby.poolerType === POOLER_TYPE_REPLICA;
  const isIntact = isStandby && standby.database?.inRecovery === true;
  switch (primary.poolerType) {
    case POOLER_TYPE_PRIMARY:
      if (!isIntact) {
        throw new Error(`the pooler at --to ${to} is not a REPLICA in front of a standby`);
      }
      return;
    case POOLER_TYPE_REPLICA: {
      checkClaim(facts);
      const isHalfWay = isStandby && isChanging(standby);
      if (!isIntact && !isHalfWay && standby.poolerType !== POOLER_TYPE_PRIMARY) {
        throw new Error(`the pooler at --to ${to} is not a REPLICA in front of a standby`);
      }
      return;
    }
    default:
      throw new Error(`the pooler at --from ${from} is not of type PRIMARY`);
  }
}

/**
 * Two standbys are a switchover that has stopped: the shard is one of theirs, or nobody's since the
 * demotion. A third pooler keeps its claim when it dies.
 */
function checkClaim({ primary, standby }: SwitchoverFacts): void {
  const { shardPrimary, shardPrimaryAddress } = standby.topology ?? {};
  if (shardPrimary === undefined) {
    return;
  }
  const isTheirs = [primary, standby].some(
    ({ poolerId }) => poolerId?.cell === shardPrimary.cell && poolerId.name === shardPrimary.name,
  );
  if (!isTheirs) {
    const { cell, name } = shardPrimary;
    throw new Error(
      `neither pooler is the primary of the shard, which is ${cell}/${name} at ${shardPrimaryAddress}`,
    );
  }
}

function isChanging({ notReadyCode }: StatusResponse): boolean {
  return notReadyCode === NotReadyCode.NOT_READY_CODE_CHANGING;
}

function checkShard({ primary, standby, followers }: SwitchoverFacts): void {
  const [a, ...others] = [primary, standby, ...followers].map(({ shardKey: key }) =>
    JSON.stringify([key?.database, key?.tableGroup, key?.shard]),
  );
  const other = others.find((shard) => shard !== a);
  if (other !== undefined) {
    throw new Error(`the poolers are of two shards: ${a} and ${other}`);
  }
}

/** On one machine what the pooler itself connects to; otherwise what it tells others. */
function postgresOf(
  { from, to, follower, toPostgres }: SwitchoverOptions,
  { database }: StatusResponse,
  told: PrimaryAddress,
): PrimaryAddress {
  if (toPostgres !== undefined) {
    return primaryAddress(toPostgres);
  }
  const isHere = [from, to, ...follower].every((address) =>
    /^(?:127\.|localhost\b|\[::1\])/.test(address),
  );
  if (!isHere) {
    return told;
  }
  const address = database?.address ?? "";
  return address.startsWith("/") ? { host: "127.0.0.1", port: told.port } : primaryAddress(address);
}
