import { ReservationReason } from "@multipooler/query-service";
import type {
  ExecuteRequest,
  Place,
  QueryService,
  ReleaseRequest,
  Reservation,
} from "@multipooler/query-service";

/**
 * Gives up a reservation that no client goes on with, because it was not told of it. Never rejects:
 * what cannot be given up now ends when nothing has run in it for a while.
 */
export async function releaseUnheard(
  service: Pick<QueryService, "releaseReservation">,
  { target, caller }: Pick<ReleaseRequest, "target" | "caller">,
  reservation: Reservation | undefined,
): Promise<void> {
  if (reservation === undefined) {
    return;
  }
  const { id } = reservation;
  await service
    .releaseReservation({ target, caller, id, keepsSticky: false })
    .catch(() => undefined);
}

/**
 * Gives up what a statement leaves reserved whose call was cut, if its gateway gives it up: it cannot
 * hear what stays reserved.
 *
 * | the statement                                  | its gateway                     |
 * | ---------------------------------------------- | ------------------------------- |
 * | was to make the reservation                    | does not know that there is one |
 * | ran in a transaction                           | takes the connection for lost   |
 * | ran on a connection that is reserved otherwise | goes on with it                 |
 */
export async function releaseForgotten(
  service: Pick<QueryService, "releaseReservation">,
  request: ExecuteRequest,
  reservation: Reservation | undefined,
): Promise<void> {
  if (reservation !== undefined && isForgotten(request.place, reservation)) {
    await releaseUnheard(service, request, reservation);
  }
}

function isForgotten(place: Place, { reasons }: Reservation): boolean {
  return place.type !== "reserved" || (reasons & ReservationReason.Transaction) !== 0;
}
