import type { Caller, QueryTarget } from "@multipooler/query-service";
import { QueryMode } from "@multipooler/query-service";
import type { StatementClassifier } from "../classification/classification.ts";
import type { Identity } from "../pool/label.ts";
import type { Labels } from "../pool/labels.ts";
import type { ServingGate } from "../serving/serving-gate.ts";
import type { CallEngine } from "../execution/call.ts";
import { requireTarget } from "../execution/request-checks.ts";
import type { ServedTarget } from "../execution/request-checks.ts";
import type { Reservations } from "./reservations.ts";
import type { ReservedBackend } from "./reserved-backend.ts";
import { reservationLostError, withReservation } from "./reservation-error.ts";

/** What the verbs of reservations need. */
export interface ReservationEngine extends CallEngine {
  readonly served: ServedTarget;
  readonly gate: ServingGate;
  readonly classifier: StatementClassifier;
  readonly labels: Labels;
  readonly reservations: Reservations;
}

/** Which reservation a request is about, and who asks. */
export interface ReservationCall {
  readonly target?: QueryTarget | undefined;
  readonly caller: Pick<Caller, "user" | "keys">;
  readonly id: bigint;
}

export function modeOf(target: QueryTarget | undefined): QueryMode {
  return target?.mode ?? QueryMode.Unspecified;
}

/**
 * Admits a request about a reservation and finds that.
 *
 * @throws WRONG_TARGET, NOT_SERVING, RESERVATION_LOST
 */
export function admitReserved(
  { gate, served, reservations }: ReservationEngine,
  { target, caller, id }: ReservationCall,
): ReservedBackend {
  requireTarget(target, served);
  gate.enterReserved(modeOf(target));
  return reservations.find(id, identityOf(caller, served));
}

/** As whom a caller asks. */
export function identityOf(
  { user, keys }: Pick<Caller, "user" | "keys">,
  served: ServedTarget,
): Identity {
  return { user: user === "" ? served.user : user, keys };
}

/** Does something with a reservation when its turn has come. What it throws says what is still held. */
export async function inTurn<Result>(
  { clock }: ReservationEngine,
  reserved: ReservedBackend,
  turn: { readonly signal?: AbortSignal | undefined; readonly isNext?: boolean },
  use: () => Promise<Result>,
): Promise<Result> {
  const waiting = reserved.turns.take(turn);
  if (waiting !== undefined) {
    try {
      await waiting;
    } catch (error) {
      throw withReservation(error, reserved.reservation);
    }
  }
  try {
    if (!reserved.isHeld) {
      await reserved.discard(undefined);
      throw reservationLostError(reserved.id);
    }
    return await use();
  } catch (error) {
    throw withReservation(error, reserved.reservation);
  } finally {
    reserved.pass(clock.monotonic());
  }
}
