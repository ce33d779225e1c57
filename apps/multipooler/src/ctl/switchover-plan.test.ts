import { ID_ComponentType } from "@multipooler/proto/clustermetadata";
import type { ID } from "@multipooler/proto/clustermetadata";
import {
  NotReadyCode,
  OperatorIntent,
  PoolerType,
  ServingStatus,
  StatusResponse,
} from "@multipooler/proto/manager-v1";
import { expect, test } from "vitest";
import type { SwitchoverOptions } from "./promotion-commands.ts";
import { judgeSwitchover } from "./switchover-plan.ts";

/** A pooler of the shard: `a` at --from, `b` at --to, others at --follower. */
interface Pooler {
  readonly is: "primary" | "standby" | "PRIMARY before a standby" | "REPLICA before a primary";
  readonly term?: bigint;
  /** Who leads its term. */
  readonly leader?: string;
  /** For whom it has voted. */
  readonly vote?: string | undefined;
  /** In which term it was demoted. */
  readonly demoted?: bigint;
  readonly notReady?: keyof typeof NotReadyCode;
  readonly intent?: ServingStatus;
  /** Who has the shard, as it knows. */
  readonly claim?: string;
  readonly shard?: string;
}

interface Case {
  readonly a: Pooler;
  readonly b: Pooler;
  readonly follower?: Pooler;
  readonly term?: bigint;
  readonly outcome: string;
}

const { SERVING_STATUS_SERVING: SERVING, SERVING_STATUS_SERVING_RDONLY: READ_ONLY } = ServingStatus;
const PRIMARY: Pooler = { is: "primary", term: 1n, leader: "a" };
const STANDBY: Pooler = { is: "standby", term: 1n, leader: "a", claim: "a" };
/** What a switchover that has stopped leaves of `a`, and of `b`. */
const DEMOTED: Pooler = { is: "standby", term: 2n, demoted: 2n };
const RECRUITED: Pooler = { is: "standby", term: 2n, vote: "b" };
const CHANGING = "NOT_READY_CODE_CHANGING";
const NO_STANDBY = "the pooler at --to b:1 is not a REPLICA in front of a standby";
const ELSEWHERE =
  "the pooler at --from a:1 is a REPLICA that was not demoted: the writes of the last primary may be elsewhere";

const CASES: Readonly<Record<string, Case>> = {
  "a primary and a standby": {
    a: PRIMARY,
    b: STANDBY,
    outcome: "term 2 to be set, catches up",
  },
  "poolers without a term": {
    a: { is: "primary" },
    b: { is: "standby" },
    outcome: "term 2 to be set, first 1, catches up",
  },
  "a term that is higher": {
    a: PRIMARY,
    b: STANDBY,
    term: 9n,
    outcome: "term 9 to be set, catches up",
  },
  "a term that is known": {
    a: PRIMARY,
    b: STANDBY,
    term: 1n,
    outcome: "--term is 1; it must be 2 or higher",
  },
  "a follower in a higher term": {
    a: PRIMARY,
    b: STANDBY,
    follower: { ...STANDBY, term: 6n },
    outcome: "term 7 to be set, catches up",
  },
  "stopped after the standby was recruited": {
    a: PRIMARY,
    b: { ...RECRUITED, claim: "a" },
    outcome: "term 2, catches up",
  },
  "recruited by hand, without a vote": {
    a: PRIMARY,
    b: { ...RECRUITED, vote: undefined },
    outcome: "term 2 to be set, catches up",
  },
  "demoted and recruited by hand, without a vote": {
    a: DEMOTED,
    b: { ...RECRUITED, vote: undefined },
    outcome: "term 2 to be set, goes on, catches up",
  },
  "led by the standby, which is demoted by now": {
    a: PRIMARY,
    b: { is: "standby", term: 4n, leader: "b" },
    outcome: "term 5 to be set, catches up",
  },
  "stopped after that, and another vote was given": {
    a: PRIMARY,
    b: { ...RECRUITED, vote: "c" },
    outcome: "term 3 to be set, catches up",
  },
  "stopped in the demotion": {
    a: { is: "primary", term: 2n, notReady: CHANGING, demoted: 2n },
    b: RECRUITED,
    outcome: "term 2, goes on, catches up",
  },
  "stopped after the demotion": {
    a: DEMOTED,
    b: RECRUITED,
    outcome: "term 2, goes on, catches up",
  },
  "stopped after the demotion, in another term": {
    a: DEMOTED,
    b: RECRUITED,
    term: 7n,
    outcome: "--term is 7; a switchover that has stopped goes on in term 2",
  },
  "stopped after the demotion, with a follower that is further": {
    a: DEMOTED,
    b: RECRUITED,
    follower: { is: "standby", term: 3n },
    outcome: "the pooler at --follower f:1 knows term 3; the switchover is one of term 2",
  },
  "stopped in the promotion, before PostgreSQL": {
    a: DEMOTED,
    b: { ...RECRUITED, notReady: CHANGING },
    outcome: "term 2, goes on, catches up",
  },
  "stopped in the promotion, after PostgreSQL": {
    a: DEMOTED,
    b: { is: "REPLICA before a primary", term: 2n, leader: "b", notReady: CHANGING },
    outcome: "term 2, goes on",
  },
  "stopped at the end of the promotion": {
    a: DEMOTED,
    b: { ...PRIMARY, term: 2n, leader: "b", notReady: CHANGING, claim: "b" },
    outcome: "term 2, goes on",
  },
  "stopped after the promotion": {
    a: DEMOTED,
    b: { is: "primary", term: 2n, leader: "b", claim: "b" },
    outcome: "term 2, goes on, is promoted",
  },
  "the standby is the primary in a later term": {
    a: { is: "standby", term: 1n },
    b: { is: "primary", term: 4n, leader: "b", claim: "b" },
    outcome: "term 4, goes on, is promoted",
  },
  "the standby is the primary, and the other has no term": {
    a: { is: "standby" },
    b: { is: "primary", term: 4n, leader: "b", claim: "b" },
    outcome: "term 4, first 4, goes on, is promoted",
  },
  "the standby is the primary in an earlier term": {
    a: { is: "standby", term: 5n },
    b: { is: "primary", term: 4n, leader: "b" },
    outcome: "the pooler at --from a:1 knows term 5; the switchover is one of term 4",
  },
  "the standby is the primary, and another term is asked for": {
    a: { is: "standby", term: 1n },
    b: { is: "primary", term: 4n, leader: "b" },
    term: 5n,
    outcome: "--term is 5; b:1 is the primary already in term 4",
  },
  "the primary is demoted by hand": {
    a: { is: "standby", term: 1n, demoted: 1n },
    b: { ...STANDBY, claim: "a" },
    outcome: "term 2 to be set, goes on, catches up",
  },
  "another standby in place of the primary that was demoted": {
    a: { is: "standby", term: 1n },
    b: RECRUITED,
    outcome: ELSEWHERE,
  },
  "one that was demoted long ago in place of the primary that was": {
    a: { is: "standby", term: 1n, demoted: 1n },
    b: RECRUITED,
    outcome:
      "the pooler at --from a:1 was demoted in term 1, and term 2 is known: " +
      "another primary may have taken writes since. If none has, demote it once more: " +
      '"ctl demote --address a:1 --term 2"',
  },
  "one that was demoted long ago, and knows that": {
    a: { is: "standby", term: 2n, demoted: 1n },
    b: RECRUITED,
    outcome:
      "the pooler at --from a:1 was demoted in term 1, and term 2 is known: " +
      "another primary may have taken writes since. If none has, demote it once more: " +
      '"ctl demote --address a:1 --force "<why none has>""',
  },
  "a standby in place of the primary that runs": {
    a: { is: "standby", term: 1n },
    b: { ...STANDBY, claim: "c" },
    outcome: "neither pooler is the primary of the shard, which is zone1/c at c:1",
  },
  "a primary whose shard another one has": {
    a: PRIMARY,
    b: { ...STANDBY, claim: "c" },
    outcome: "neither pooler is the primary of the shard, which is zone1/c at c:1",
  },
  "two primaries": { a: PRIMARY, b: { ...PRIMARY, leader: "b" }, outcome: NO_STANDBY },
  "a PRIMARY in front of a standby as the standby": {
    a: PRIMARY,
    b: { is: "PRIMARY before a standby" },
    outcome: NO_STANDBY,
  },
  "a standby that changes its role": {
    a: DEMOTED,
    b: { is: "REPLICA before a primary" },
    outcome: NO_STANDBY,
  },
  "a drained standby": {
    a: PRIMARY,
    b: { ...STANDBY, notReady: "NOT_READY_CODE_DRAINED" },
    outcome: "the pooler at --to b:1 does not serve: it is so",
  },
  "a diverged standby": {
    a: DEMOTED,
    b: { ...RECRUITED, notReady: "NOT_READY_CODE_DIVERGED" },
    outcome: "the pooler at --to b:1 does not serve: it is so",
  },
  "a standby that is read-only by order": {
    a: PRIMARY,
    b: { ...STANDBY, intent: READ_ONLY },
    outcome: "the pooler at --to b:1 would take no writes, by order of an operator: works",
  },
  "a primary that is read-only by order already": {
    a: DEMOTED,
    b: { is: "primary", term: 2n, leader: "b", intent: READ_ONLY },
    outcome: "term 2, goes on, is promoted",
  },
  "a primary as a follower": {
    a: PRIMARY,
    b: STANDBY,
    follower: { is: "primary", term: 1n },
    outcome: "the pooler at --follower f:1 is not a REPLICA in front of a standby",
  },
  "another shard": {
    a: PRIMARY,
    b: { ...STANDBY, shard: "80-" },
    outcome:
      'the poolers are of two shards: ["postgres","default","0-inf"] and ["postgres","default","80-"]',
  },
};

test.each(Object.entries(CASES))("%s", (_, { a, b, follower, term, outcome }) => {
  const options: SwitchoverOptions = {
    address: "",
    timeout: "1m",
    json: false,
    explain: false,
    drainTimeout: "5s",
    from: "a:1",
    to: "b:1",
    follower: follower === undefined ? [] : ["f:1"],
    ...(term !== undefined && { term }),
  };
  expect(outcomeOf(a, b, follower, options)).toBe(outcome);
});

function outcomeOf(
  a: Pooler,
  b: Pooler,
  follower: Pooler | undefined,
  options: SwitchoverOptions,
): string {
  const followers = follower === undefined ? [] : [statusOf("f", follower)];
  try {
    const plan = judgeSwitchover(
      { primary: statusOf("a", a), standby: statusOf("b", b), followers },
      options,
    );
    return [
      `term ${plan.term}${plan.isRecruited ? "" : " to be set"}`,
      ...(plan.firstTerm === undefined ? [] : [`first ${plan.firstTerm}`]),
      ...(plan.goesOn ? ["goes on"] : []),
      ...(plan.catchesUp ? ["catches up"] : []),
      ...(plan.isPromoted ? ["is promoted"] : []),
    ].join(", ");
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function statusOf(name: string, pooler: Pooler): StatusResponse {
  const { is, term = 0n, leader, vote, demoted, notReady, intent = SERVING, claim } = pooler;
  const isPrimary = is === "primary" || is === "PRIMARY before a standby";
  return StatusResponse.create({
    poolerId: idOf(name),
    shardKey: { database: "postgres", tableGroup: "default", shard: pooler.shard ?? "0-inf" },
    poolerType: isPrimary ? PoolerType.POOLER_TYPE_PRIMARY : PoolerType.POOLER_TYPE_REPLICA,
    database: { inRecovery: is === "standby" || is === "PRIMARY before a standby" },
    term: { termNumber: term, leaderId: idOf(leader), acceptedLeader: idOf(vote) },
    ...(demoted !== undefined && { demotion: { consensusTerm: demoted, lsnPosition: "0/1" } }),
    notReadyCode: NotReadyCode[notReady ?? "NOT_READY_CODE_UNSPECIFIED"],
    notReadyReason: "it is so",
    intent: OperatorIntent.create({ status: intent, reason: "works" }),
    topology: { shardPrimary: idOf(claim), shardPrimaryAddress: `${claim}:1` },
  });
}

function idOf(name: string | undefined): ID | undefined {
  return name === undefined
    ? undefined
    : { component: ID_ComponentType.MULTIPOOLER, cell: "zone1", name };
}
