import { ID_ComponentType } from "@multipooler/proto/clustermetadata";
import type { ID } from "@multipooler/proto/clustermetadata";
import type { StatusResponse } from "@multipooler/proto/manager-v1";
import type { SwitchoverOptions } from "./promotion-commands.ts";
import { isPromoted, termNumber } from "./switchover-facts.ts";
import type { SwitchoverFacts } from "./switchover-facts.ts";

/** The terms of a switchover. */
export interface SwitchoverTerm {
  /** Of the new primary. */
  readonly term: bigint;
  /** Whether the new primary leads it already, or has voted for itself in it. */
  readonly isRecruited: boolean;
  /** That of the former primary, which gets one before the switchover if it has none. */
  readonly firstTerm: bigint | undefined;
}

/**
 * Two primaries have two terms, also where the first one had none. One that an earlier switchover has
 * recruited for is taken again, since no coordinator and no leader has it: the vote of the standby for itself
 * is that of the earlier switchover.
 *
 * | the primary         | the standby           | term                                          |
 * | ------------------- | --------------------- | --------------------------------------------- |
 * | a standby, in N or an earlier one | the primary in term N | N: its writes go on             |
 * | in term N, unled    | in term N, unled, or leads it | N: an earlier switchover goes on      |
 * | in an earlier one   | in term N, unled      | N, or a higher one                            |
 * | others              | others                | higher than each that is known                |
 *
 * Throws where `--term` is another one, and where a pooler knows a higher one.
 */
export function switchoverTerm(facts: SwitchoverFacts, options: SwitchoverOptions): SwitchoverTerm {
  const chosen = termThatIs(facts, options) ?? nextTerm(facts, options);
  checkKnown(facts, options, chosen.term);
  return chosen;
}

/** The term of a switchover that is complete or has stopped; `undefined` for one that begins. */
function termThatIs(
  facts: SwitchoverFacts,
  { term, to }: SwitchoverOptions,
): SwitchoverTerm | undefined {
  const { primary, standby } = facts;
  const [own, other] = [termNumber(primary), termNumber(standby)];
  if (isPromoted(facts) && other > 0n) {
    if (term !== undefined && term !== other) {
      throw new Error(`--term is ${term}; ${to} is the primary already in term ${other}`);
    }
    return { term: other, isRecruited: true, firstTerm: own === 0n ? other : undefined };
  }
  if (own === 0n || own !== other || isLed(primary, standby) || isLed(standby, standby)) {
    return undefined;
  }
  if (term !== undefined && term !== own) {
    throw new Error(`--term is ${term}; a switchover that has stopped goes on in term ${own}`);
  }
  const isRecruited = isOwn(standby.term?.leaderId, standby) || hasOwnVote(standby);
  return { term: own, isRecruited, firstTerm: undefined };
}

function nextTerm(
  { primary, standby, followers }: SwitchoverFacts,
  { term }: SwitchoverOptions,
): SwitchoverTerm {
  const [own, other] = [termNumber(primary), termNumber(standby)];
  // The first term of the primary is one that is not known either.
  const first = own === 0n ? 1n : 0n;
  const isNobodys = standby.term?.leaderId === undefined && !isLed(standby, standby);
  const isReserved = other > own + first && isNobodys;
  const others = followers.map((follower) => termNumber(follower) + first);
  const known = [own + first, isReserved ? other - 1n : other + first, ...others];
  const least = known.reduce((a, b) => (a > b ? a : b)) + 1n;
  if (term !== undefined && term < least) {
    throw new Error(`--term is ${term}; it must be ${least} or higher`);
  }
  const next = term ?? least;
  return {
    term: next,
    isRecruited: next === other && hasOwnVote(standby),
    firstTerm: own === 0n ? next - 1n : undefined,
  };
}

/** A pooler that knows a higher term would refuse this one after others have changed. */
function checkKnown(
  { primary, followers }: SwitchoverFacts,
  { from, follower }: SwitchoverOptions,
  term: bigint,
): void {
  const poolers = [
    { flag: "--from", address: from, status: primary },
    ...followers.map((status, i) => ({ flag: "--follower", address: follower[i] ?? "", status })),
  ];
  const ahead = poolers.find(({ status }) => termNumber(status) > term);
  if (ahead !== undefined) {
    const { flag, address, status } = ahead;
    throw new Error(
      `the pooler at ${flag} ${address} knows term ${termNumber(status)}; the switchover is one of term ${term}`,
    );
  }
}

/** Whether the term that a pooler knows is led by somebody else than `successor`, or somebody else has its vote. */
function isLed({ term }: StatusResponse, successor: StatusResponse): boolean {
  const { leaderId, acceptedLeader } = term ?? {};
  return [leaderId, acceptedLeader].some((id) => id !== undefined && !isOwn(id, successor));
}

function hasOwnVote(pooler: StatusResponse): boolean {
  return isOwn(pooler.term?.acceptedLeader, pooler);
}

function isOwn(id: ID | undefined, { poolerId }: StatusResponse): boolean {
  return (
    id !== undefined &&
    id.component === ID_ComponentType.MULTIPOOLER &&
    id.cell === poolerId?.cell &&
    id.name === poolerId.name
  );
}
