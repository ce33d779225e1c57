import type { RunningAction, StatusResponse } from "@multipooler/proto/manager-v1";
import { Deadline, sleep, systemClock } from "@multipooler/timing";
import type { CtlOutput } from "./pooler-call.ts";
import { shortTime } from "./short-time.ts";
import type { SwitchoverFacts } from "./switchover-facts.ts";
import type { Participant, Participants } from "./switchover-step.ts";

export interface Settling {
  /** How long calls of others are waited for; `undefined`: until they end. */
  readonly timeoutMs: number | undefined;
  /** Learns, once a call, for what it is waited. */
  readonly io: Pick<CtlOutput, "complain">;
}

const POLL_MS = 50;

/**
 * Asks all poolers, again and again until none of them is being changed. A call goes on where the command
 * that made it was killed, and a plan that is made while it runs is wrong when it ends.
 */
export async function settledFacts(
  poolers: Participants,
  { timeoutMs, io }: Settling,
): Promise<SwitchoverFacts> {
  using bound =
    timeoutMs === undefined
      ? undefined
      : new Deadline({ clock: systemClock, ms: timeoutMs, what: "another call" });
  let told = "";
  for (;;) {
    const facts = await askAll(poolers);
    const running = runningText(poolers, facts);
    if (running === undefined) {
      return facts;
    }
    if (bound?.signal.aborted === true) {
      throw new Error(`${running}; it has not ended within --timeout`);
    }
    if (running !== told) {
      io.complain(`waiting: ${running}`);
      told = running;
    }
    await sleep(systemClock, POLL_MS, bound?.signal);
  }
}

async function askAll({ from, to, followers }: Participants): Promise<SwitchoverFacts> {
  const statusOf = (pooler: Participant, what: string): Promise<StatusResponse> =>
    pooler.call(what, (client, request) => client.status(request));
  const [primary, standby, ...others] = await Promise.all([
    statusOf(from, "asking the primary"),
    statusOf(to, "asking the standby"),
    ...followers.map((follower) => statusOf(follower, "asking the follower")),
  ]);
  return { primary, standby, followers: others };
}

/** What runs on the first pooler on which something does. */
function runningText(
  { from, to, followers: addresses }: Participants,
  { primary, standby, followers }: SwitchoverFacts,
): string | undefined {
  const statuses = [primary, standby, ...followers];
  const running = [from, to, ...addresses].flatMap(({ address }, index) => {
    const action = statuses[index]?.runningAction;
    return action === undefined ? [] : [`${actionText(action)} at ${address}`];
  });
  return running[0];
}

function actionText({ name, startTime }: RunningAction): string {
  return startTime === undefined ? `${name} runs` : `${name} runs since ${shortTime(startTime)}`;
}
