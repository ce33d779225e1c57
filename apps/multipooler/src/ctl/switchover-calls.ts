import { ID_ComponentType } from "@multipooler/proto/clustermetadata";
import { PoolerType } from "@multipooler/proto/manager-v1";
import type { SwitchoverPlan } from "./switchover-plan.ts";
import { StepRefused } from "./switchover-step.ts";
import type { Participant, Participants } from "./switchover-step.ts";

/** How long the standby may take to replay what the primary had written at its end. */
const CATCH_UP_SECONDS = 60n;

/**
 * Both learn of a term before anything is changed, so that a pooler that cannot keep one ends it here. The
 * standby votes for itself, which is refused where it has voted for another since the plan was made, and
 * after which it votes for no other in that term. It is asked also where it was recruited before.
 */
export async function recruit(
  { from, to }: Participants,
  { term: termNumber, isPromoted, isRecruited, firstTerm, standby }: SwitchoverPlan,
): Promise<void> {
  if (!isPromoted || !isRecruited) {
    const { cell = "", name = "" } = standby.poolerId ?? {};
    const acceptedLeader = { component: ID_ComponentType.MULTIPOOLER, cell, name };
    await to.call("recruiting the standby", (client, request) =>
      client.consensus.setTerm({ term: { termNumber, acceptedLeader } }, request),
    );
  }
  if (firstTerm !== undefined) {
    await from.call("setting the first term of the primary", (client, request) =>
      client.consensus.setTerm({ term: { termNumber: firstTerm } }, request),
    );
  }
}

/**
 * Waits until the standby has everything. Where it does not get it, the demotion is undone, except that a
 * standby which somebody promotes gets nothing more, and the former primary has to stay one.
 */
export async function catchUp({ from, to }: Participants, targetLsn: string): Promise<void> {
  try {
    await to.call("waiting for the standby", (client, request) =>
      client.replication.waitForLSN({ targetLsn, timeout: { seconds: CATCH_UP_SECONDS } }, request),
    );
  } catch (error) {
    const why = messageOf(error);
    if (await isTakingOver(to)) {
      throw new StepRefused(why, { cause: error });
    }
    await from.call(`${why}; undoing the demotion`, (client, request) =>
      client.roles.undoDemote({}, request),
    );
    throw new Error(`${why}; the primary is the primary again`, { cause: error });
  }
}

/** Has a pooler's server follow the new primary. */
export async function follow(
  pooler: Participant,
  { term, postgres }: Pick<SwitchoverPlan, "term" | "postgres">,
): Promise<void> {
  await pooler.call("having it follow the new primary", async (client, request) => {
    const { term: known } = await client.consensus.status(request);
    if (known === undefined || known.termNumber === 0n) {
      await client.consensus.setTerm({ term: { termNumber: term } }, request);
    }
    await client.replication.setPrimaryConnInfo({ ...postgres, currentTerm: term }, request);
  });
}

/** Whether the standby is a primary by now, or becomes one. One that does not answer may be dead. */
async function isTakingOver(to: Participant): Promise<boolean> {
  try {
    const { poolerType, database, runningAction } = await to.call(
      "asking the standby again",
      (client, request) => client.status(request),
    );
    const isPrimary =
      poolerType === PoolerType.POOLER_TYPE_PRIMARY || database?.inRecovery === false;
    return isPrimary || runningAction !== undefined;
  } catch {
    return false;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
