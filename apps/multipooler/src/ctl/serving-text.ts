import {
  poolerRoleToJSON,
  servingStatusToJSON,
  transitionOutcomeToJSON,
} from "@multipooler/proto/manager-v1";
import type {
  DrainTotals,
  OperatorIntent,
  PoolerRole,
  ServingState,
  ServingStatus,
  ServingTransition,
} from "@multipooler/proto/manager-v1";
import { because, elapsed, milliseconds, shortAge, word } from "./status-words.ts";
import { shortTime } from "./short-time.ts";

/** The status, what it becomes, and why unless `knownReason` says so already. */
export function servingText(serving: ServingState, knownReason: string): string {
  const { current, wanted, reason } = serving;
  const next = statusText(wanted);
  const becoming = next === "UNSPECIFIED" ? "" : `, becoming ${next}`;
  const why = reason === knownReason ? "" : because(reason);
  return `${statusText(current)}${becoming}${why}`;
}

/** What an operator wishes. */
export function intentText({ status, reason, sinceTime, ...intent }: OperatorIntent): string {
  const since = sinceTime === undefined ? "" : ` since ${shortTime(sinceTime)}`;
  const forgotten = intent.remembered
    ? ""
    : `; a restart forgets it: ${intent.notRememberedReason}`;
  return `${statusText(status)}${since}${because(reason)}${forgotten}`;
}

/** The last change of the status. */
export function transitionText(transition: ServingTransition, now: Date): string {
  const { fromStatus, fromRole, toStatus, toRole, outcome, startTime, error } = transition;
  const ago =
    startTime === undefined ? "" : `${elapsed(now.getTime() - startTime.getTime())} ago, `;
  const ended = word(transitionOutcomeToJSON(outcome), "TRANSITION_OUTCOME_").toLowerCase();
  const took = shortAge(milliseconds(transition.duration));
  const from = `${statusText(fromStatus)} ${roleText(fromRole)}`;
  const to = `${statusText(toStatus)} ${roleText(toRole)}`;
  return `${ago}${from} to ${to}: ${ended} in ${took}${because(error)}`;
}

/** What became of the drains so far; `undefined` where there was none. */
export function drainsText(drains: DrainTotals): string | undefined {
  const { completed, cut, reversed, aborted, cutRequests, longest } = drains;
  if (completed + cut + reversed + aborted === 0n) {
    return undefined;
  }
  const ended = `${completed} completed, ${cut} cut with ${cutRequests} requests`;
  return `${ended}, ${reversed} reversed, ${aborted} aborted; longest ${shortAge(milliseconds(longest))}`;
}

function statusText(status: ServingStatus): string {
  return word(servingStatusToJSON(status), "SERVING_STATUS_");
}

function roleText(role: PoolerRole): string {
  return word(poolerRoleToJSON(role), "POOLER_ROLE_");
}
