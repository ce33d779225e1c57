import { NotReadyCode, PoolerType } from "@multipooler/proto/manager-v1";
import type { StatusResponse } from "@multipooler/proto/manager-v1";

/** What the poolers of a switchover say of themselves. */
export interface SwitchoverFacts {
  readonly primary: StatusResponse;
  readonly standby: StatusResponse;
  readonly followers: readonly StatusResponse[];
}

/** 0 where the pooler has no term. */
export function termNumber({ term }: StatusResponse): bigint {
  return term?.termNumber ?? 0n;
}

/** Whether a change of the pooler's role was begun and not ended. */
export function isChanging({ notReadyCode }: StatusResponse): boolean {
  return notReadyCode === NotReadyCode.NOT_READY_CODE_CHANGING;
}

/** Whether the new primary is one already, and for whom it waits is settled. */
export function isPromoted({ standby }: Pick<SwitchoverFacts, "standby">): boolean {
  return standby.poolerType === PoolerType.POOLER_TYPE_PRIMARY && !isChanging(standby);
}
