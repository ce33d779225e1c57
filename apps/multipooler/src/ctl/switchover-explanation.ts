import { hostAndPort } from "@multipooler/manager";
import type { RoleStep } from "@multipooler/proto/promotion-v1";
import { tableText } from "@multipooler/text-table";
import { drainTimeout } from "./drain-timeout.ts";
import { jsonText } from "./output.ts";
import type { Output } from "./output.ts";
import type { SwitchoverOptions } from "./promotion-commands.ts";
import type { SwitchoverPlan } from "./switchover-plan.ts";
import { synchronousOf } from "./switchover-standbys.ts";
import type { Participant, Participants } from "./switchover-step.ts";

/** A reason that is told nowhere: an explanation changes nothing, and there is no such term yet. */
const EXPLAINED = "only the steps are asked for";

interface Explained {
  readonly pooler: string;
  readonly name: string;
  readonly explanation: string;
}

/** Prints the steps that are left to do, for which the poolers check everything and change nothing. */
export async function explainSwitchover(
  poolers: Participants,
  plan: SwitchoverPlan,
  options: SwitchoverOptions,
  output: Output,
): Promise<void> {
  const { from, to, followers } = poolers;
  const { term, postgres } = plan;
  const asked = { explain: true, forceReason: EXPLAINED };
  const demotion = await from.call("asking for the demotion's steps", (client, request) =>
    client.roles.demote({ ...asked, drainTimeout: drainTimeout(options.drainTimeout) }, request),
  );
  const promotion = await to.call("asking for the promotion's steps", (client, request) =>
    client.roles.promote(
      { ...asked, syncReplicationConfig: synchronousOf(plan, demotion) },
      request,
    ),
  );
  const follow = {
    name: "follow",
    explanation: `follow ${hostAndPort(postgres.host, postgres.port)}`,
  };
  const needed = ({ needed: isNeeded }: RoleStep): boolean => isNeeded;
  const steps = [
    ...recruitment(poolers, plan),
    ...demotion.steps.filter(needed).map((step) => ({ pooler: from.address, ...step })),
    ...(plan.catchesUp
      ? [{ pooler: to.address, name: "catch up", explanation: "replay all that the primary wrote" }]
      : []),
    { pooler: from.address, ...follow },
    ...promotion.steps.filter(needed).map((step) => ({ pooler: to.address, ...step })),
    ...followers.map(({ address }) => ({ pooler: address, ...follow })),
  ];
  const rows = steps.map(({ pooler, name, explanation }, index) => [
    `${index + 1}.`,
    pooler,
    name,
    explanation,
  ]);
  await output.write(options.json ? jsonText({ term: String(term), steps }) : tableText(rows));
}

/** The terms that are set first, and the vote. */
function recruitment(
  { from, to }: Participants,
  { term, isRecruited, firstTerm }: SwitchoverPlan,
): readonly Explained[] {
  const recruits = (pooler: Participant, explanation: string): Explained => ({
    pooler: pooler.address,
    name: "recruit",
    explanation,
  });
  return [
    ...(isRecruited ? [] : [recruits(to, `set its term to ${term}, with its vote for itself`)]),
    ...(firstTerm === undefined ? [] : [recruits(from, `set its term to ${firstTerm}`)]),
  ];
}
