/**
 * Why a caller holds a backend to itself, as bits of one number. The values are those of the wire
 * contract.
 */
export const ReservationReason = {
  Transaction: 1,
  TempTable: 2,
  Portal: 4,
  Copy: 8,
  Listen: 16,
  LogicalReplication: 32,
  SessionAdvisoryLock: 64,
  SetSeed: 128,
} as const;
export type ReservationReason = (typeof ReservationReason)[keyof typeof ReservationReason];

/** A backend that one caller holds to itself between its requests. */
export interface Reservation {
  /** Positive. The caller names it in `place` of its further requests. */
  readonly id: bigint;
  /** {@link ReservationReason} bits; never 0. */
  readonly reasons: number;
  /** The PID of the server process behind it. */
  readonly backendProcessId: number;
}

/** How a request ended that did not fail. */
export interface Outcome {
  /** The reservation that the caller holds from now on; `undefined`: it holds none. */
  readonly reservation: Reservation | undefined;
}
