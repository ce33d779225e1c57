import { ReservationReason } from "@multipooler/query-service";
import type { ReservedBackend } from "./reserved-backend.ts";

type ReasonName = keyof typeof ReservationReason;

/** A connection that a caller holds between its requests, or waits for. */
export interface ReservationReport {
  readonly id: bigint;
  readonly user: string;
  /** None while it waits for its connection. */
  readonly reasons: readonly ReasonName[];
  /** The server process; 0 while it waits for its connection. */
  readonly processId: number;
  /** Milliseconds since the epoch. */
  readonly sinceMs: number;
  /** How long nothing has run in it; 0 while something runs or it waits. */
  readonly idleMs: number;
}

/** What an operator sees of a reservation; `now` on the monotonic clock. */
export function reservationReport(reserved: ReservedBackend, now: number): ReservationReport {
  const { reservation } = reserved;
  return {
    id: reserved.id,
    user: reserved.identity.user,
    reasons: reservation === undefined ? [] : namesOf(reservation.reasons),
    processId: reservation?.backendProcessId ?? 0,
    sinceMs: reserved.sinceMs,
    idleMs: Math.max(0, reserved.idleMs(now)),
  };
}

function namesOf(bits: number): ReasonName[] {
  const names: ReasonName[] = [];
  for (const [name, bit] of Object.entries(ReservationReason)) {
    if ((bits & bit) !== 0 && isReason(name)) {
      names.push(name);
    }
  }
  return names;
}

function isReason(name: string): name is ReasonName {
  return Object.hasOwn(ReservationReason, name);
}
