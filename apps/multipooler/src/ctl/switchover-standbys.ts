import type { DemoteResponse } from "@multipooler/proto/promotion-v1";
import type { SynchronousReplicationConfiguration } from "@multipooler/proto/replication-v1";
import type { SwitchoverPlan } from "./switchover-plan.ts";

/**
 * For whom the new primary waits: for the former one in its own place. One that is promoted already keeps
 * what it has.
 */
export function synchronousOf(
  { isPromoted, primary, standby }: SwitchoverPlan,
  { syncReplicationConfig: before }: DemoteResponse,
): SynchronousReplicationConfiguration | undefined {
  if (isPromoted || before === undefined) {
    return undefined;
  }
  const { poolerId: former } = primary;
  const { poolerId: next } = standby;
  const standbyIds = before.standbyIds.map((id) =>
    former !== undefined && id.cell === next?.cell && id.name === next.name ? former : id,
  );
  return { ...before, standbyIds };
}
