import { ReservationReason } from "@multipooler/query-service";
import type { Place, ReservationWish } from "@multipooler/query-service";
import type { ReservationOptions } from "@multipooler/proto/query";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";

/** The reasons for a reservation that this version of the contract knows. */
const KNOWN_REASONS = 0xff;

/** What of a message decides where its statement runs. */
export interface PlaceMessage {
  readonly options: { readonly reservedConnectionId: bigint } | undefined;
  readonly reservationOptions?: ReservationOptions | undefined;
  /** The portal of a statement with a row limit: its rest keeps the backend. */
  readonly portal?: string | undefined;
}

/**
 * Where a statement runs. One with a row limit reserves its backend, for as long as it has more rows.
 *
 * @throws INVALID_ARGUMENT for reasons that the contract does not know
 */
export function requestPlace({ options, reservationOptions, portal }: PlaceMessage): Place {
  const id = options?.reservedConnectionId ?? 0n;
  const reasons = knownReasons(reservationOptions?.reasons ?? 0);
  const wish = reservationWish(reservationOptions);
  if (id !== 0n) {
    return reservationOptions === undefined
      ? { type: "reserved", id }
      : { type: "reserved", id, reasons, ...wish, releases: reservationOptions.releasePortalNames };
  }
  if (reasons !== 0) {
    return { type: "reserve", reasons, ...wish };
  }
  return portal === undefined
    ? { type: "any" }
    : { type: "reserve", reasons: ReservationReason.Portal, pins: [portal] };
}

function reservationWish(options: ReservationOptions | undefined): ReservationWish {
  if (options === undefined) {
    return {};
  }
  const { beginQuery, pinPortalNames: pins, recheckAdvisoryLocks } = options;
  return { begin: beginQuery === "" ? undefined : beginQuery, pins, recheckAdvisoryLocks };
}

function knownReasons(reasons: number): number {
  if (reasons > KNOWN_REASONS) {
    throw new GrpcServicesError(
      GrpcServicesErrorCode.InvalidArgument,
      `invalid reservation reasons: 0x${reasons.toString(16)}`,
    );
  }
  return reasons;
}
