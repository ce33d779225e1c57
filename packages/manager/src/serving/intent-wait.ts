import { ServingStatus } from "@multipooler/controller-api";
import { untilAborted } from "@multipooler/timing";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { ManagerStatus } from "../manager-status.ts";
import type { IntentStatus } from "./operator-intent.ts";
import { admits } from "./serving-target.ts";

/** Where the status of the pooler can be watched. */
export interface StatusSource {
  status(): ManagerStatus;
  watchStatus(listener: (status: ManagerStatus) => void): () => void;
}

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
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const look = (status: ManagerStatus): void => {
    const outcome = outcomeOf(status, intent);
    if (outcome === "reached") {
      resolve();
    } else if (outcome !== "on its way") {
      reject(outcome);
    }
  };
  const unwatch = source.watchStatus(look);
  try {
    look(source.status());
    await untilAborted(promise, signal);
  } finally {
    unwatch();
  }
}

function outcomeOf(
  { state, intent: held, serving }: ManagerStatus,
  intent: IntentStatus,
): "reached" | "on its way" | ManagerError {
  if (held.since !== intent.since) {
    const message = "another serving status was asked for meanwhile, or the pooler stops";
    return new ManagerError(ManagerErrorCode.Superseded, message);
  }
  if (state.name === "error") {
    return state.error;
  }
  const isSettled = serving.wanted === undefined;
  return isSettled && fits(serving.current.status, intent.status) ? "reached" : "on its way";
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
