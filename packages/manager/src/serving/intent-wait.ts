import { ServingStatus } from "@multipooler/controller-api";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { ManagerStatus } from "../manager-status.ts";
import type { IntentStatus } from "./operator-intent.ts";
import { admits } from "./serving-target.ts";
import { untilStatus } from "./status-wait.ts";
import type { StatusSource } from "./status-wait.ts";

/**
 * Resolves when the pooler is where `intent` wants it, drain included. Rejects with SUPERSEDED when
 * something else is wished or the manager closes, with the error of a start that failed, and with
 * the signal's reason.
 */
export async function untilIntentReached(
  source: StatusSource,
  intent: IntentStatus,
  signal: AbortSignal | undefined,
): Promise<void> {
  await untilStatus(source, (status) => isReached(status, intent), signal);
}

/** Throws where it never will be. */
function isReached({ state, intent: held, serving }: ManagerStatus, intent: IntentStatus): boolean {
  if (held.since !== intent.since) {
    const message = "another serving status was asked for meanwhile, or the pooler stops";
    throw new ManagerError(ManagerErrorCode.Superseded, message);
  }
  if (state.name === "error") {
    throw state.error;
  }
  const isSettled = serving.wanted === undefined;
  return isSettled && fits(serving.current.status, intent.status);
}

/** Whether a status is what a wish stands for; a database that is away is no pooler that serves. */
function fits(current: ServingStatus, wished: ServingStatus): boolean {
  switch (wished) {
    case ServingStatus.Serving:
      return admits(current);
    case ServingStatus.ServingReadOnly:
    case ServingStatus.Drained:
      return current === wished;
    case ServingStatus.NotServing:
      return !admits(current);
  }
}
