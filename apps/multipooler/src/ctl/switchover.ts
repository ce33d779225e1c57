import type { NotServing } from "@multipooler/proto/promotion-v1";
import { callTimeoutMs } from "./call-timeout.ts";
import { drainTimeout } from "./drain-timeout.ts";
import { tellNotServing } from "./not-serving.ts";
import { Output, OutputClosed, jsonText } from "./output.ts";
import type { CtlOutput } from "./pooler-call.ts";
import type { SwitchoverOptions } from "./promotion-commands.ts";
import { explainSwitchover } from "./switchover-explanation.ts";
import { planSwitchover } from "./switchover-plan.ts";
import type { Participants, SwitchoverPlan } from "./switchover-plan.ts";
import { synchronousOf } from "./switchover-standbys.ts";
import { Participant } from "./switchover-step.ts";

/** How long the standby may take to replay what the primary had written at its end. */
const CATCH_UP_SECONDS = 60n;

/**
 * `ctl switchover`: demotes the primary, waits until the standby has everything, turns the former
 * primary round and promotes the standby. Where the standby does not catch up, the demotion is undone.
 * Called again after it has stopped anywhere, it goes on: each of its calls may be repeated. Resolves with
 * the exit code.
 *
 * @throws ConfigError for a bad option
 */
export async function switchover(options: SwitchoverOptions, io: CtlOutput): Promise<number> {
  const timeoutMs = callTimeoutMs(options.timeout);
  drainTimeout(options.drainTimeout);
  const output = new Output(io.stdout);
  using parts = new DisposableStack();
  const participant = (address: string): Participant =>
    parts.use(new Participant(address, options, { timeoutMs }));
  const poolers: Participants = {
    from: participant(options.from),
    to: participant(options.to),
    followers: options.follower.map(participant),
  };
  try {
    const plan = await planSwitchover(poolers, options);
    if (options.explain) {
      await explainSwitchover(poolers, plan, options, output);
      return 0;
    }
    return tellNotServing(await perform(poolers, plan, options, output), io);
  } catch (error) {
    if (error instanceof OutputClosed) {
      return 0;
    }
    io.complain(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

/** Resolves with why the new primary does not serve, if it does not. */
async function perform(
  poolers: Participants,
  plan: SwitchoverPlan,
  options: SwitchoverOptions,
  output: Output,
): Promise<NotServing | undefined> {
  const { from, to, followers } = poolers;
  const { term } = plan;
  await recruit(poolers, plan);
  const beganAt = performance.now();
  const demoted = await from.call("demoting the primary", (client, request) =>
    client.roles.demote(
      { consensusTerm: term, drainTimeout: drainTimeout(options.drainTimeout) },
      request,
    ),
  );
  const { lsnPosition: demotedAt } = demoted;
  if (plan.catchesUp) {
    await catchUp(poolers, demotedAt);
  }
  await follow(from, plan);
  const promoted = await to.call(
    `promoting the standby in term ${term}, with which the same command goes on`,
    (client, request) =>
      client.roles.promote(
        { consensusTerm: term, syncReplicationConfig: synchronousOf(plan, demoted) },
        request,
      ),
  );
  const gapMs = plan.goesOn ? undefined : Math.round(performance.now() - beganAt);
  for (const follower of followers) {
    await follow(follower, plan);
  }
  const { lsnPosition: promotedAt, notServing } = promoted;
  const where = { from: from.address, to: to.address, term: String(term), demotedAt, promotedAt };
  await output.write(
    options.json
      ? jsonText({ ...where, gapMs, notServing })
      : resultText(poolers, plan, { gapMs, notServing }),
  );
  return notServing;
}

interface Outcome {
  readonly gapMs: number | undefined;
  readonly notServing: NotServing | undefined;
}

function resultText(
  { from, to }: Participants,
  { term, postgres, isPromoted }: SwitchoverPlan,
  { gapMs, notServing }: Outcome,
): string {
  const is = notServing === undefined ? "is the primary" : "is promoted";
  const isNow = isPromoted ? `${is} already` : is;
  // Of one that was begun earlier nobody knows since when, and of one that does not serve, until when.
  const gap =
    gapMs === undefined || notServing !== undefined ? "" : ` No writes were taken for ${gapMs} ms.`;
  return (
    `${to.address} ${isNow} in term ${term}, and ${from.address} follows it at ` +
    `${postgres.host}:${postgres.port}.${gap}\n`
  );
}

/** Both learn of a term before anything is changed, so that a pooler that cannot keep one ends it here. */
async function recruit(
  { from, to }: Participants,
  { term: termNumber, isRecruited, firstTerm }: SwitchoverPlan,
): Promise<void> {
  if (!isRecruited) {
    await to.call("recruiting the standby", (client, request) =>
      client.consensus.setTerm({ term: { termNumber } }, request),
    );
  }
  if (firstTerm !== undefined) {
    await from.call("setting the first term of the primary", (client, request) =>
      client.consensus.setTerm({ term: { termNumber: firstTerm } }, request),
    );
  }
}

async function catchUp({ from, to }: Participants, targetLsn: string): Promise<void> {
  try {
    await to.call("waiting for the standby", (client, request) =>
      client.replication.waitForLSN({ targetLsn, timeout: { seconds: CATCH_UP_SECONDS } }, request),
    );
  } catch (error) {
    await from.call(`${String(error)}; undoing the demotion`, (client, request) =>
      client.roles.undoDemote({}, request),
    );
    throw new Error(`${String(error)}; the primary is the primary again`, { cause: error });
  }
}

async function follow(pooler: Participant, { term, postgres }: SwitchoverPlan): Promise<void> {
  await pooler.call("having it follow the new primary", async (client, request) => {
    const { term: known } = await client.consensus.status(request);
    if (known === undefined || known.termNumber === 0n) {
      await client.consensus.setTerm({ term: { termNumber: term } }, request);
    }
    await client.replication.setPrimaryConnInfo({ ...postgres, currentTerm: term }, request);
  });
}
