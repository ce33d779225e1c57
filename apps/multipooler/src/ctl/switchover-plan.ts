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
  /** That of the former primary, which gets one before the switchover if it has none. */
  readonly firstTerm: bigint | undefined;
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
  return {
    ...termsOf(primary, standby, options),
    postgres: postgresOf(options, standby, { host: postgresHost, port: postgresPort }),
    synchronous:
      status?.syncReplicationConfig && swapped(status.syncReplicationConfig, primary, standby),
  };
}

/** Two primaries have two terms, also where the first one had none. */
function termsOf(
  primary: StatusResponse,
  standby: StatusResponse,
  { term }: SwitchoverOptions,
): Pick<SwitchoverPlan, "term" | "firstTerm"> {
  const [own = 0n, other = 0n] = [primary, standby].map((status) => status.term?.termNumber ?? 0n);
  const highest = own > other ? own : other;
  const least = own === 0n ? highest + 2n : highest + 1n;
  if (term !== undefined && term < least) {
    throw new Error(`--term is ${term}; it must be ${least} or higher`);
  }
  const next = term ?? least;
  return { term: next, firstTerm: own === 0n ? next - 1n : undefined };
}

function checkRoles(
  primary: StatusResponse,
  standby: StatusResponse,
  { from, to }: SwitchoverOptions,
): void {
  const replica = PoolerType.POOLER_TYPE_REPLICA;
  if (primary.poolerType === replica && standby.poolerType === replica) {
    const term = standby.term?.termNumber ?? 0n;
    throw new Error(
      `neither pooler is a primary. A switchover that has stopped goes on with ` +
        `"ctl promote --term ${term} --address ${to}" and "ctl set-primary --address ${from}"; ` +
        `"ctl undo-demote --address ${from}" takes it back`,
    );
  }
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
