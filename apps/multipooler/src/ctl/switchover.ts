import { hostAndPort } from "@multipooler/manager";
import type { NotServing } from "@multipooler/proto/promotion-v1";
import { callTimeoutMs } from "./call-timeout.ts";
import { drainTimeout } from "./drain-timeout.ts";
import { tellNotServing } from "./not-serving.ts";
import { Output, OutputClosed, jsonText } from "./output.ts";
import type { CtlOutput } from "./pooler-call.ts";
import type { SwitchoverOptions } from "./promotion-commands.ts";
import { explainSwitchover } from "./switchover-explanation.ts";
import { catchUp, follow, recruit } from "./switchover-calls.ts";
import { planSwitchover } from "./switchover-plan.ts";
import type { SwitchoverPlan } from "./switchover-plan.ts";
import type { Settling } from "./switchover-settling.ts";
import { synchronousOf } from "./switchover-standbys.ts";
import { Participant, StepRefused } from "./switchover-step.ts";
import type { Participants } from "./switchover-step.ts";

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
    const command = { poolers, options, output, settling: { timeoutMs, io } };
    if (options.explain) {
      const plan = await planSwitchover(poolers, options, command.settling);
      await explainSwitchover(poolers, plan, options, output);
      return 0;
    }
    return tellNotServing(await planAndPerform(command), io);
  } catch (error) {
    if (error instanceof OutputClosed) {
      return 0;
    }
    io.complain(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

interface Command {
  readonly poolers: Participants;
  readonly options: SwitchoverOptions;
  readonly output: Output;
  readonly settling: Settling;
}

/**
 * Plans and performs; a second time where a step is refused. The last call of a command that was killed may
 * arrive after the plan was made, and of that there is one. Resolves with why the new primary does not serve,
 * if it does not.
 */
async function planAndPerform(command: Command): Promise<NotServing | undefined> {
  const { poolers, options, settling } = command;
  const plan = await planSwitchover(poolers, options, settling);
  try {
    return await perform(plan, command);
  } catch (refusal) {
    if (!(refusal instanceof StepRefused)) {
      throw refusal;
    }
    return await perform(await planAgain(refusal, command), command);
  }
}

async function planAgain(
  { message }: StepRefused,
  { poolers, options, settling }: Command,
): Promise<SwitchoverPlan> {
  try {
    return await planSwitchover(poolers, options, settling);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`${message}; and then: ${why}`, { cause: error });
  }
}

async function perform(
  plan: SwitchoverPlan,
  { poolers, options, output }: Command,
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
    `${hostAndPort(postgres.host, postgres.port)}.${gap}\n`
  );
}
