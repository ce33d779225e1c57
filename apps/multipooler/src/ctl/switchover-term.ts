import type { StatusResponse } from "@multipooler/proto/manager-v1";
import type { SwitchoverOptions } from "./promotion-commands.ts";
import type { SwitchoverFacts } from "./switchover-plan.ts";

/** The terms of a switchover. */
export interface SwitchoverTerm {
  /** Of the new primary. */
  readonly term: bigint;
  /** Whether the new primary knows it already. */
  readonly isRecruited: boolean;
  /** That of the former primary, which gets one before the switchover if it has none. */
  readonly firstTerm: bigint | undefined;
}

/**
 * Two primaries have two terms, also where the first one had none. One that an earlier switchover has
 * recruited for is taken again, since no coordinator and no leader has it.
 *
 * | the primary         | the standby           | term                                          |
 * | ------------------- | --------------------- | --------------------------------------------- |
 * | in term N, unled    | in term N, unled, or leads it | N: an earlier switchover goes on      |
 * | in an earlier one   | in term N, unled      | N, or a higher one                            |
 * | others              | others                | higher than each that is known                |
 *
 * Throws where `--term` is another one.
 */
export function switchoverTerm(
  { primary, standby, followers }: SwitchoverFacts,
  { term }: SwitchoverOptions,
): SwitchoverTerm {
  const [own, other] = [numberOf(primary), numberOf(standby)];
  if (own > 0n && own === other && !isLed(primary, standby) && !isLed(standby, standby)) {
    if (term !== undefined && term !== own) {
      throw new Error(`--term is ${term}; a switchover that has stopped goes on in term ${own}`);
    }
    return { term: own, isRecruited: true, firstTerm: undefined };
  }
  // The first term of the primary is one that is not known either.
  const first = own === 0n ? 1n : 0n;
  const isReserved = other > own + first && !isLed(standby, undefined);
  const others = followers.map((follower) => numberOf(follower) + first);
  const known = [own + first, isReserved ? other - 1n : other + first, ...others];
  const least = known.reduce((a, b) => (a > b ? a : b)) + 1n;
  if (term !== undefined && term < least) {
    throw new Error(`--term is ${term}; it must be ${least} or higher`);
  }
  const next = term ?? least;
  return {
    term: next,
    isRecruited: next === other,
    firstTerm: own === 0n ? next - 1n : undefined,
  };
}

function numberOf({ term }: StatusResponse): bigint {
  return term?.termNumber ?? 0n;
}

/** Whether the term that a pooler knows is somebody's, other than `successor`'s. */
function isLed({ term }: StatusResponse, successor: StatusResponse | undefined): boolean {
  const { leaderId, acceptedLeader } = term ?? {};
  const own = successor?.poolerId;
  const isOwn = own !== undefined && leaderId?.cell === own.cell && leaderId.name === own.name;
  return acceptedLeader !== undefined || (leaderId !== undefined && !isOwn);
}
