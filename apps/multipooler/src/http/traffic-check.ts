import type { ManagerStatus } from "@multipooler/manager";
import type { LagLimit } from "./lag-limit.ts";

/**
 * What a load balancer wants to send.
 *
 * | traffic  | is taken by                                           |
 * | -------- | ----------------------------------------------------- |
 * | writes   | a primary that serves                                 |
 * | reads    | a primary or a replica that serves, read-only or not  |
 * | replicas | a replica that serves                                 |
 */
export type Traffic = "writes" | "reads" | "replicas";

export interface TrafficCheckOptions {
  readonly traffic: Traffic;
  /** Counts for a replica only. */
  readonly maxLag: LagLimit | undefined;
}

type CheckedStatus = Pick<ManagerStatus, "ready" | "notReadyReason" | "serving" | "heartbeat">;

/** Why this pooler must not get the traffic, one clause; `undefined` if it may. */
export function trafficRefusal(
  status: CheckedStatus,
  { traffic, maxLag }: TrafficCheckOptions,
): string | undefined {
  const { role, status: serving } = status.serving.current;
  if (!status.ready) {
    return status.notReadyReason ?? "the pooler is not ready";
  }
  switch (traffic) {
    case "writes":
      if (role !== "PRIMARY") {
        return "the pooler is a replica";
      }
      return serving === "SERVING" ? undefined : "the primary serves reads only";
    case "replicas":
      return role === "REPLICA" ? lagRefusal(status, maxLag) : "the pooler is the primary";
    case "reads":
      return role === "REPLICA" ? lagRefusal(status, maxLag) : undefined;
  }
}

function lagRefusal({ heartbeat }: CheckedStatus, limit: LagLimit | undefined): string | undefined {
  if (limit === undefined) {
    return undefined;
  }
  const { lagMs, behindBytes } =
    heartbeat.mode === "reader" ? heartbeat : { lagMs: undefined, behindBytes: undefined };
  const lag = limit.unit === "ms" ? lagMs : behindBytes;
  if (lag === undefined) {
    const what = limit.unit === "ms" ? "age of the last heartbeat" : "amount of WAL to replay";
    return `the ${what} is not known`;
  }
  const unit = limit.unit === "ms" ? "ms" : "bytes";
  return lag <= limit.max
    ? undefined
    : `the replica is ${Math.round(lag)} ${unit} behind, of ${Math.round(limit.max)} ${unit} at most`;
}
