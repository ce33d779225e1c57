import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ManagerStatus } from "../manager-status.ts";
import { PoolerType } from "../record/pooler-type.ts";
import type { Lsn, SynchronousReplication } from "../replication/replication-control.ts";
import { NotReadyCode } from "../serving/not-ready.ts";
import type { NotReady } from "../serving/not-ready.ts";
import type { RoleStepPlan } from "./role-step.ts";

/** What became of a change of role. */
export interface RoleResult {
  /** The term that holds now. */
  readonly term: bigint;
  /** True where there was nothing to do. */
  readonly wasAlready: boolean;
  /** How far the server is: what a primary has written, what a standby has replayed. */
  readonly lsn: Lsn | undefined;
  /** What was done, or, where only that was asked for, what would be. */
  readonly steps: readonly RoleStepPlan[];
  /** Why the pooler does not serve what its role stands for, although it has the role. */
  readonly notServing: NotReady | undefined;
}

export interface DemoteResult extends RoleResult {
  readonly terminated: number;
  /** For whom its commits waited as a primary; `undefined` for nobody. */
  readonly synchronous: SynchronousReplication | undefined;
}

/** What nothing but somebody's act ends; everything else may be over in a moment. */
const LASTING: ReadonlySet<NotReadyCode> = new Set([
  NotReadyCode.NotOpen,
  NotReadyCode.Stopping,
  NotReadyCode.StartFailed,
  NotReadyCode.Drained,
  NotReadyCode.NameInUse,
  NotReadyCode.SecondPrimary,
  NotReadyCode.WrongCluster,
  NotReadyCode.Diverged,
  NotReadyCode.LoginRefused,
  NotReadyCode.WritesRefused,
]);

/** Why a pooler does not serve what its type stands for; `undefined` where it does. */
export function whyNotServing(
  { notReadyCode: code, notReadyReason, serving: { current } }: ManagerStatus,
  type: PoolerType,
): NotReady | undefined {
  if (code !== undefined) {
    return { code, reason: notReadyReason ?? "" };
  }
  const takesWrites =
    current.role === PoolerRole.Primary && current.status === ServingStatus.Serving;
  return type === PoolerType.Primary && !takesWrites
    ? { code: NotReadyCode.WritesRefused, reason: current.reason }
    : undefined;
}

/** Whether to wait any longer for a pooler that does not serve is of use. */
export function mayPass({ code }: NotReady): boolean {
  return !LASTING.has(code);
}
