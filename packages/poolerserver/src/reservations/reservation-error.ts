import { PoolerErrorCode } from "@multipooler/query-service";
import type { Reservation } from "@multipooler/query-service";
import { MultiPoolerError, errorDiagnostic, poolerError } from "../error.ts";

/** The reservation is unknown, was ended, or is another user's. */
export function reservationLostError(id: bigint, cause?: unknown): MultiPoolerError {
  return new MultiPoolerError(
    PoolerErrorCode.ReservationLost,
    `reserved connection ${id} is not known`,
    {
      ...(cause !== undefined && { cause }),
      diagnostic: errorDiagnostic("40001", "reserved connection terminated; please retry", {
        detail: `reserved connection ${id} was terminated`,
      }),
    },
  );
}

/** The error as the caller gets it: with what it still holds. */
export function withReservation(
  thrown: unknown,
  reservation: Reservation | undefined,
): MultiPoolerError {
  const error = poolerError(thrown);
  if (reservation === undefined || error.reservation !== undefined) {
    return error;
  }
  const { code, message, diagnostic, cause } = error;
  return new MultiPoolerError(code, message, { cause, diagnostic, reservation });
}
