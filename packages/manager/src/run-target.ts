import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import type { Registration } from "./record/registration.ts";
import { admitsNothing } from "./serving/operator-intent.ts";
import type { OperatorIntent } from "./serving/operator-intent.ts";
import { admits, deriveTarget, notServing } from "./serving/serving-target.ts";
import type { ServingFacts } from "./serving/serving-target.ts";

export interface RunFacts extends Omit<ServingFacts, "type"> {
  readonly registration: Registration;
  /** Which change of role is not complete, one line for people. */
  readonly pendingAction: string | undefined;
}

/** Where the controller is to be, by all that one run of the manager knows. */
export function runTarget({ registration, pendingAction, ...facts }: RunFacts): ServingTarget {
  const refusal = registration.refusal();
  if (refusal !== undefined) {
    return notServing(refusal.reason);
  }
  const target = deriveTarget({ ...facts, type: registration.type() });
  if (pendingAction !== undefined && !isTakenOut(target, facts.intent)) {
    // Also in front of a server that is down: to repeat the action may be what starts it.
    return notServing(pendingAction);
  }
  return admits(target.status) ? (whyNot(target, registration) ?? target) : target;
}

/** Whether a change of role would not bring the pooler back. */
function isTakenOut({ status }: ServingTarget, intent: OperatorIntent): boolean {
  return status === ServingStatus.Drained || admitsNothing(intent);
}

/** What the shard has against a target that admits queries; `undefined` where it has nothing. */
function whyNot(target: ServingTarget, registration: Registration): ServingTarget | undefined {
  const rival = target.role === PoolerRole.Primary ? registration.rival() : undefined;
  const refusal = registration.fault() ?? rival;
  if (refusal !== undefined) {
    return notServing(refusal.reason);
  }
  return registration.isUndecided
    ? notServing("whether this pooler is the first of its shard is being found out")
    : undefined;
}
