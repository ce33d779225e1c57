import { NotReadyCode, PoolerType, ServingStatus } from "@multipooler/proto/manager-v1";
import type { StatusResponse } from "@multipooler/proto/manager-v1";
import type { SwitchoverOptions } from "./promotion-commands.ts";
import { isChanging, isPromoted, termNumber } from "./switchover-facts.ts";
import type { SwitchoverFacts } from "./switchover-facts.ts";

const { POOLER_TYPE_PRIMARY, POOLER_TYPE_REPLICA } = PoolerType;

/** Throws where the poolers are not the primary and standbys of one shard, before anything is changed. */
export function checkSwitchover(facts: SwitchoverFacts, options: SwitchoverOptions): void {
  checkShard(facts);
  checkClaim(facts);
  checkRoles(facts, options);
  checkFollowers(facts, options);
  if (!isPromoted(facts) && !isChanging(facts.standby)) {
    checkServes(facts, options);
  }
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

/** Either nothing was begun, or what an earlier switchover has left is found. */
function checkRoles(facts: SwitchoverFacts, { from, to }: SwitchoverOptions): void {
  const { primary, standby } = facts;
  switch (primary.poolerType) {
    case POOLER_TYPE_PRIMARY:
      if (!isIntact(standby)) {
        throw new Error(`the pooler at --to ${to} is not a REPLICA in front of a standby`);
      }
      return;
    case POOLER_TYPE_REPLICA: {
      const isHalfWay = standby.poolerType === POOLER_TYPE_REPLICA && isChanging(standby);
      if (standby.poolerType === POOLER_TYPE_PRIMARY) {
        return;
      }
      if (!isIntact(standby) && !isHalfWay) {
        throw new Error(`the pooler at --to ${to} is not a REPLICA in front of a standby`);
      }
      checkDemotion(facts, from);
      return;
    }
    default:
      throw new Error(`the pooler at --from ${from} is not of type PRIMARY`);
  }
}

/** The shard is one of theirs, or nobody's since the demotion. A third pooler keeps its claim when it dies. */
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

/**
 * Of two standbys the first one must be the last primary: only what that has written is all that was
 * acknowledged. Its demotion is of its present term, and the other one knows no later term.
 */
function checkDemotion({ primary, standby }: SwitchoverFacts, from: string): void {
  const { demotion } = primary;
  if (demotion === undefined) {
    throw new Error(
      `the pooler at --from ${from} is a REPLICA that was not demoted: the writes of the last primary may be elsewhere`,
    );
  }
  const own = termNumber(primary);
  const other = termNumber(standby);
  const latest = own > other ? own : other;
  if (demotion.consensusTerm < latest) {
    // A demotion goes along by itself only from the term that the pooler is in.
    const right = demotion.consensusTerm === own ? `--term ${latest}` : '--force "<why none has>"';
    throw new Error(
      `the pooler at --from ${from} was demoted in term ${demotion.consensusTerm}, and term ${latest} is known: ` +
        "another primary may have taken writes since. If none has, demote it once more: " +
        `"ctl demote --address ${from} ${right}"`,
    );
  }
}

function checkFollowers({ followers }: SwitchoverFacts, { follower }: SwitchoverOptions): void {
  const index = followers.findIndex((status) => !isIntact(status));
  if (index !== -1) {
    throw new Error(
      `the pooler at --follower ${follower[index]} is not a REPLICA in front of a standby`,
    );
  }
}

/** A primary that serves nothing, or no writes, is of less use than the one that is there. */
function checkServes(
  { standby: { notReadyCode, notReadyReason, intent } }: SwitchoverFacts,
  { to }: SwitchoverOptions,
): void {
  if (notReadyCode !== NotReadyCode.NOT_READY_CODE_UNSPECIFIED) {
    throw new Error(`the pooler at --to ${to} does not serve: ${notReadyReason}`);
  }
  if (intent !== undefined && intent.status !== ServingStatus.SERVING_STATUS_SERVING) {
    const why = intent.reason === "" ? "" : `: ${intent.reason}`;
    throw new Error(`the pooler at --to ${to} would take no writes, by order of an operator${why}`);
  }
}

function isIntact({ poolerType, database }: StatusResponse): boolean {
  return poolerType === POOLER_TYPE_REPLICA && database?.inRecovery === true;
}
