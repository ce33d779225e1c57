import { ServingStatus } from "@multipooler/controller-api";
import type { ManagedDatabaseStatus } from "../database/managed-database.ts";
import { messageOf } from "../error-message.ts";
import type { ManagerRun } from "../manager-run.ts";
import type { ManagerSettings } from "../manager-settings.ts";
import type { RunParts } from "../run-parts.ts";
import { NotReadyCode, codeOfDatabase, codeOfRefusal } from "./not-ready.ts";
import type { NotReady } from "./not-ready.ts";
import { admitsNothing } from "./operator-intent.ts";
import { admits } from "./serving-target.ts";

export interface ReadinessSources {
  readonly settings: Pick<ManagerSettings, "controller">;
  /** `undefined` while the manager is not open. */
  readonly run: ManagerRun | undefined;
  readonly database: ManagedDatabaseStatus | undefined;
}

/** Why queries would not get what the pooler's role promises; `undefined` if they do. */
export function whyNotReady({ settings, run, database }: ReadinessSources): NotReady | undefined {
  if (run === undefined) {
    return { code: NotReadyCode.NotOpen, reason: "the manager is not open" };
  }
  if (run.stopping) {
    return { code: NotReadyCode.Stopping, reason: "shutting down" };
  }
  const { state, parts } = run;
  if (state.name === "error") {
    return { code: NotReadyCode.StartFailed, reason: state.error.message };
  }
  if (parts === undefined) {
    return { code: NotReadyCode.Starting, reason: "the transports do not listen yet" };
  }
  if (!admits(parts.reconciler.progress().wanted.status)) {
    return whyNotWanted(run, parts);
  }
  return whyNotServing(settings, parts) ?? whyNotThrough(parts, database);
}

/** Nothing is to be served. */
function whyNotWanted(
  { health, intent, pendingAction }: ManagerRun,
  { reconciler, registration }: RunParts,
): NotReady {
  const { status, reason } = reconciler.progress().wanted;
  const refusals = [registration.refusal(), registration.fault(), registration.rival()];
  const refusal = refusals.find((found) => found?.reason === reason);
  if (refusal !== undefined) {
    return refusal;
  }
  if (health.state === "down" && reason === health.error.message) {
    return { code: codeOfDatabase(health.error), reason };
  }
  if (reason === pendingAction) {
    return { code: NotReadyCode.Changing, reason };
  }
  const isTakenOut = status === ServingStatus.Drained || admitsNothing(intent);
  return { code: isTakenOut ? NotReadyCode.Drained : NotReadyCode.Starting, reason };
}

/** What is to be served is not served yet, or not any more. */
function whyNotServing(
  { controller }: ReadinessSources["settings"],
  { reconciler }: RunParts,
): NotReady | undefined {
  const { wanted, reached, lastError } = reconciler.progress();
  if (lastError !== undefined) {
    return {
      code: NotReadyCode.ChangeFailed,
      reason: `cannot serve as ${wanted.role}: ${messageOf(lastError)}`,
    };
  }
  if (!reached) {
    return { code: NotReadyCode.Changing, reason: `about to serve as ${wanted.role}` };
  }
  return controller.isServing()
    ? undefined
    : { code: NotReadyCode.Changing, reason: "the controller stopped serving" };
}

/** What is served does not get through, or not as it should. */
function whyNotThrough(
  { steps: { queryPath } }: RunParts,
  database: ManagedDatabaseStatus | undefined,
): NotReady | undefined {
  if (queryPath.state === "broken") {
    const { code, reason } = queryPath;
    return { code, reason: `queries do not get through: ${reason}` };
  }
  if (database?.refusal !== undefined) {
    return {
      code: codeOfRefusal(database.refusal),
      reason: `new connections are refused: ${database.refusal.message}`,
    };
  }
  return database?.writeFault === undefined
    ? undefined
    : { code: NotReadyCode.CommitsWait, reason: database.writeFault };
}
