import type { SynchronousReplicationConfiguration } from "@multipooler/proto/replication-v1";
import { PoolerType } from "@multipooler/proto/manager-v1";
import type { StatusResponse } from "@multipooler/proto/manager-v1";
import { primaryAddress } from "./primary-address.ts";
import type { PrimaryAddress } from "./primary-address.ts";
import type { SwitchoverOptions } from "./promotion-commands.ts";
import type { Participant } from "./switchover-step.ts";

/** The poolers of a switchover. */
export interface Participants {
  readonly from: Participant;
  readonly to: Participant;
  readonly followers: readonly Participant[];
}

/** What a switchover is going to do. */
export interface SwitchoverPlan {
  /** Of the new primary. */
  readonly term: bigint;
  /** Whether the primary has no term yet. */
  readonly isFirstTerm: boolean;
  /** PostgreSQL of the new primary, as the others reach it. */
  readonly postgres: PrimaryAddress;
  /** For whom the new primary waits: for the former one in its own place. */
  readonly synchronous: SynchronousReplicationConfiguration | undefined;
}

/** Looks at both poolers. Rejects where they are not the primary and a standby of one shard. */
export async function planSwitchover(
  { from, to }: Participants,
  options: SwitchoverOptions,
): Promise<SwitchoverPlan> {
  const [primary, standby] = await Promise.all([
    from.call("asking the primary", (client, request) => client.status(request)),
    to.call("asking the standby", (client, request) => client.status(request)),
  ]);
  checkRoles(primary, standby, options);
  const { status } = await from.call("asking the primary", (client, request) =>
    client.replication.primaryStatus(request),
  );
  const { postgresHost, postgresPort } = await to.call("asking the standby", (client, request) =>
    client.consensus.status(request),
  );
  const known = [primary, standby].map(({ term }) => term?.termNumber ?? 0n);
  const highest = known.reduce((a, b) => (a > b ? a : b));
  return {
    term: options.term ?? highest + 1n,
    isFirstTerm: known[0] === 0n,
    postgres: postgresOf(options, standby, { host: postgresHost, port: postgresPort }),
    synchronous:
      status?.syncReplicationConfig && swapped(status.syncReplicationConfig, primary, standby),
  };
}

function checkRoles(
  primary: StatusResponse,
  standby: StatusResponse,
  { from, to }: SwitchoverOptions,
): void {
  if (primary.poolerType !== PoolerType.POOLER_TYPE_PRIMARY) {
    throw new Error(`the pooler at --from ${from} is not of type PRIMARY`);
  }
  if (
    standby.poolerType !== PoolerType.POOLER_TYPE_REPLICA ||
    standby.database?.inRecovery !== true
  ) {
    throw new Error(`the pooler at --to ${to} is not a REPLICA in front of a standby`);
  }
  const [a, b] = [primary.shardKey, standby.shardKey].map((key) =>
    JSON.stringify([key?.database, key?.tableGroup, key?.shard]),
  );
  if (a !== b) {
    throw new Error(`the poolers are of two shards: ${a} and ${b}`);
  }
}

/** On one machine what the pooler itself connects to; otherwise what it tells others. */
function postgresOf(
  { from, to, toPostgres }: SwitchoverOptions,
  { database }: StatusResponse,
  told: PrimaryAddress,
): PrimaryAddress {
  if (toPostgres !== undefined) {
    return primaryAddress(toPostgres);
  }
  const isHere = [from, to].every((address) => /^(?:127\.|localhost\b|\[::1\])/.test(address));
  if (!isHere) {
    return told;
  }
  const address = database?.address ?? "";
  return address.startsWith("/") ? { host: "127.0.0.1", port: told.port } : primaryAddress(address);
}

/** The same with the two poolers in each other's place. */
function swapped(
  configuration: SynchronousReplicationConfiguration,
  { poolerId: former }: StatusResponse,
  { poolerId: next }: StatusResponse,
): SynchronousReplicationConfiguration {
  const standbyIds = configuration.standbyIds.map((id) =>
    former !== undefined && id.cell === next?.cell && id.name === next.name ? former : id,
  );
  return { ...configuration, standbyIds };
}
