import { ServingStatus as Serving } from "@multipooler/controller-api";
import type { DrainTotals, PoolerRole as Role, ServingState } from "@multipooler/controller-api";
import type {
  IntentStatus,
  TransitionOutcome as Outcome,
  TransitionRecord,
} from "@multipooler/manager";
import { PoolerRole, ServingStatus, TransitionOutcome } from "@multipooler/proto/manager-v1";
import type {
  DrainTotals as DrainTotalsMessage,
  OperatorIntent,
  ServingState as ServingMessage,
  ServingTransition,
} from "@multipooler/proto/manager-v1";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import { durationMessage } from "./duration-message.ts";

/** The roles on the wire. */
export const ROLES: Readonly<Record<Role, PoolerRole>> = {
  PRIMARY: PoolerRole.POOLER_ROLE_PRIMARY,
  REPLICA: PoolerRole.POOLER_ROLE_REPLICA,
};

const SERVING: Readonly<Record<Serving, ServingStatus>> = {
  SERVING: ServingStatus.SERVING_STATUS_SERVING,
  SERVING_RDONLY: ServingStatus.SERVING_STATUS_SERVING_RDONLY,
  DRAINED: ServingStatus.SERVING_STATUS_DRAINED,
  NOT_SERVING: ServingStatus.SERVING_STATUS_NOT_SERVING,
};

const OUTCOMES: Readonly<Record<Outcome, TransitionOutcome>> = {
  running: TransitionOutcome.TRANSITION_OUTCOME_RUNNING,
  reached: TransitionOutcome.TRANSITION_OUTCOME_REACHED,
  reversed: TransitionOutcome.TRANSITION_OUTCOME_REVERSED,
  superseded: TransitionOutcome.TRANSITION_OUTCOME_SUPERSEDED,
};

/**
 * The status that a request wishes.
 *
 * @throws INVALID_ARGUMENT for none, and for one that this version does not know.
 */
export function wishedStatus(status: ServingStatus): Serving {
  const wished = Object.values(Serving).find((name) => SERVING[name] === status);
  if (wished === undefined) {
    throw new GrpcServicesError(
      GrpcServicesErrorCode.InvalidArgument,
      `status: ${status}; it must be SERVING (1), SERVING_RDONLY (2), DRAINED (3) or NOT_SERVING (4)`,
    );
  }
  return wished;
}

/** The current status, and the wanted one while a transition runs. */
export function servingMessage({ current, wanted }: ServingState): ServingMessage {
  return {
    current: SERVING[current.status],
    wanted:
      wanted === undefined ? ServingStatus.SERVING_STATUS_UNSPECIFIED : SERVING[wanted.status],
    reason: (wanted ?? current).reason,
  };
}

/** What an operator wishes. */
export function intentMessage(intent: IntentStatus): OperatorIntent {
  const { status, reason, since, forgottenBecause } = intent;
  return {
    status: SERVING[status],
    reason,
    sinceTime: since,
    remembered: forgottenBecause === undefined,
    notRememberedReason: forgottenBecause ?? "",
  };
}

/** One entry of the history. */
export function transitionMessage(transition: TransitionRecord): ServingTransition {
  const { startedAt, from, to, reason, outcome, durationMs, attempts, error } = transition;
  return {
    startTime: startedAt,
    fromStatus: SERVING[from.status],
    fromRole: ROLES[from.role],
    toStatus: SERVING[to.status],
    toRole: ROLES[to.role],
    reason,
    outcome: OUTCOMES[outcome],
    duration: durationMessage(durationMs),
    attempts,
    error: error ?? "",
  };
}

/** What became of the drains. */
export function drainsMessage(drains: DrainTotals): DrainTotalsMessage {
  return {
    completed: BigInt(drains.completed),
    cut: BigInt(drains.cut),
    reversed: BigInt(drains.reversed),
    aborted: BigInt(drains.aborted),
    cutRequests: BigInt(drains.cutRequests),
    longest: durationMessage(drains.longestMs),
    total: durationMessage(drains.totalMs),
  };
}
