import { PgwireError } from "@multipooler/pgwire";
import { PoolerErrorCode } from "@multipooler/query-service";
import type { Outcome, Settings } from "@multipooler/query-service";
import type { MultiPoolerError } from "../error.ts";
import type { HeldEnd } from "./held-run.ts";
import { reservationLostError, withReservation } from "./reservation-error.ts";
import type { ReservedBackend } from "./reserved-backend.ts";

/** What becomes of a reserved backend at the end of a request. */
export interface Use {
  /** "keep": it stays reserved while there are reasons; without any it goes back to the pool. */
  readonly fate: "keep" | "close";
  /** The settings that the session has when it goes back. */
  readonly settings: Settings;
  readonly error: MultiPoolerError | undefined;
}

/** Ends a request: brings the reservation to what it is from now on, and tells that to the caller. */
export async function endUse(
  reserved: ReservedBackend,
  { fate, settings, error }: Use,
): Promise<Outcome> {
  if (fate === "close" || !reserved.isHeld || reserved.cutReason !== undefined) {
    await reserved.discard(error ?? reserved.cutReason);
  } else if (reserved.reasons.isEmpty) {
    await reserved.giveBack(settings);
  }
  const { reservation } = reserved;
  if (error !== undefined) {
    throw withReservation(error, reservation);
  }
  return { reservation };
}

/** What a transaction that was open tells about a request that took its backend with it. */
export interface TransactionFacts {
  readonly isInTransaction: boolean;
  /** Whether the request itself could have committed. */
  readonly mayCommit: boolean;
}

/** Whether the backend is gone with the request. */
export function isGone({ fate }: HeldEnd): boolean {
  return fate === "lost" || fate === "unsent";
}

/**
 * The error of a request, which may have been the last one of its reservation. A transaction that is
 * open then and could not be committed is certainly rolled back, so that it can be begun from the
 * start. Otherwise the outcome is unknown. What PostgreSQL itself said counts before both.
 */
export function endedError(
  reserved: ReservedBackend,
  end: HeldEnd,
  { isInTransaction, mayCommit }: TransactionFacts,
): MultiPoolerError | undefined {
  const { fate, error } = end;
  const { cutReason } = reserved;
  if (cutReason !== undefined && (fate === "withdrawn" || isLeftOpen(end))) {
    return reservationLostError(reserved.id, cutReason);
  }
  if (fate === "unsent") {
    return reservationLostError(reserved.id, error);
  }
  const isUnknown =
    error === undefined ||
    (error.code === PoolerErrorCode.ConnectionLost && !isPostgresError(error));
  return fate === "lost" && isUnknown && isInTransaction && !mayCommit
    ? reservationLostError(reserved.id, error)
    : error;
}

function isLeftOpen({ fate, transactionStatus }: HeldEnd): boolean {
  return fate === "done" && transactionStatus !== "I";
}

function isPostgresError({ cause }: MultiPoolerError): boolean {
  return cause instanceof PgwireError && cause.diagnostic !== undefined;
}
