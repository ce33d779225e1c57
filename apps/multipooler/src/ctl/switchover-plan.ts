import type { ConsensusStatusResponse } from "@multipooler/proto/consensus-v1";
import { PoolerType } from "@multipooler/proto/manager-v1";
import type { StatusResponse } from "@multipooler/proto/manager-v1";
import { primaryAddress } from "./primary-address.ts";
import type { PrimaryAddress } from "./primary-address.ts";
import type { SwitchoverOptions } from "./promotion-commands.ts";
import { checkSwitchover } from "./switchover-checks.ts";
import { isChanging, isPromoted } from "./switchover-facts.ts";
import type { SwitchoverFacts } from "./switchover-facts.ts";
import { settledFacts } from "./switchover-settling.ts";
import type { Settling } from "./switchover-settling.ts";
import type { Participant, Participants } from "./switchover-step.ts";
import { switchoverTerm } from "./switchover-term.ts";
import type { SwitchoverTerm } from "./switchover-term.ts";
import { checkLastWrites } from "./switchover-writes.ts";

/** What a switchover is going to do, or has left to do where an earlier one has stopped. */
export interface SwitchoverPlan extends SwitchoverTerm {
  /** PostgreSQL of the new primary, as the others reach it. */
  readonly postgres: PrimaryAddress;
  /** Whether an earlier one has begun to demote the former primary, so that writes are refused since then. */
  readonly goesOn: boolean;
  /** Whether the new primary is still a standby. */
  readonly catchesUp: boolean;
  /** Whether the new primary is one already, and for whom it waits is settled. */
  readonly isPromoted: boolean;
  readonly primary: StatusResponse;
  readonly standby: StatusResponse;
}

/** What the poolers' own words make of it. */
export type JudgedSwitchover = Omit<SwitchoverPlan, "postgres">;

/**
 * Looks at all poolers, once nothing that others have asked of them runs any more. Rejects where they are not
 * the primary and standbys of one shard.
 */
export async function planSwitchover(
  poolers: Participants,
  options: SwitchoverOptions,
  settling: Settling,
): Promise<SwitchoverPlan> {
  const facts = await settledFacts(poolers, settling);
  const judged = judgeSwitchover(facts, options);
  const reportOf = (pooler: Participant, what: string): Promise<ConsensusStatusResponse> =>
    pooler.call(what, (client, request) => client.consensus.status(request));
  const [standby, ...others] = await Promise.all([
    reportOf(poolers.to, "asking the standby"),
    ...poolers.followers.map((follower) => reportOf(follower, "asking the follower")),
  ]);
  checkLastWrites(facts, { standby, followers: others }, options);
  const { postgresHost, postgresPort } = standby;
  const told = { host: postgresHost, port: postgresPort };
  return { ...judged, postgres: postgresOf(options, facts.standby, told) };
}

/** Throws where the switchover would be refused, or of no use. */
export function judgeSwitchover(
  facts: SwitchoverFacts,
  options: SwitchoverOptions,
): JudgedSwitchover {
  checkSwitchover(facts, options);
  const { primary, standby } = facts;
  const isStandby = (status: StatusResponse): boolean =>
    status.poolerType === PoolerType.POOLER_TYPE_REPLICA;
  return {
    ...switchoverTerm(facts, options),
    goesOn: isStandby(primary) || isChanging(primary),
    catchesUp: isStandby(standby) && standby.database?.inRecovery !== false,
    isPromoted: isPromoted(facts),
    primary,
    standby,
  };
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
