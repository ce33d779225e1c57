import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import { PoolerErrorCode, QueryMode } from "@multipooler/query-service";
import { MockControllerError } from "./mock-controller-error.ts";

/** A request that leaves nothing behind, or one that begins a reservation or a login. */
export type RequestKind = "single" | "reservation";

/** How far the gate is on its way from one target to the next. */
export type GatePhase = "settled" | "draining reserved" | "draining all" | "closing";

/** Which statuses admit new requests. */
const SERVES: Readonly<Record<ServingStatus, boolean>> = {
  [ServingStatus.Serving]: true,
  [ServingStatus.ServingReadOnly]: true,
  [ServingStatus.Drained]: false,
  [ServingStatus.NotServing]: false,
};

/** Which modes need the primary. */
const NEEDS_PRIMARY: Readonly<Record<QueryMode, boolean>> = {
  [QueryMode.Unspecified]: false,
  [QueryMode.Inconsistent]: false,
  [QueryMode.Writable]: true,
  [QueryMode.Consistent]: true,
};

/** Which new requests a phase lets through to the question of status and role. */
const ADMITS: Readonly<Record<GatePhase, Readonly<Record<RequestKind, boolean>>>> = {
  settled: { single: true, reservation: true },
  "draining reserved": { single: true, reservation: false },
  "draining all": { single: false, reservation: false },
  closing: { single: false, reservation: false },
};

export function isServing({ status }: ServingTarget): boolean {
  return SERVES[status];
}

/** Why a new request is not admitted, or `undefined` if it is. */
export function refusal(
  request: { readonly kind: RequestKind; readonly mode: QueryMode },
  { phase, current }: { readonly phase: GatePhase; readonly current: ServingTarget },
): MockControllerError | undefined {
  const { status, role, reason } = current;
  if (!ADMITS[phase][request.kind] || !SERVES[status]) {
    const what = phase === "settled" ? status : `leaving ${status}`;
    return new MockControllerError(PoolerErrorCode.NotServing, `the mock is ${what} (${reason})`);
  }
  if (NEEDS_PRIMARY[request.mode] && role !== PoolerRole.Primary) {
    const message = `a ${request.mode} query needs the primary, and the mock is a replica`;
    return new MockControllerError(PoolerErrorCode.NotServing, message);
  }
  return undefined;
}
