import { PoolerErrorCode } from "@multipooler/query-service";
import type {
  Caller,
  ExecuteRequest,
  Place,
  QueryTarget,
  Statement,
} from "@multipooler/query-service";
import { MultiPoolerError, errorDiagnostic } from "../error.ts";

/** What one pooler serves: requests that name something else are refused. */
export interface ServedTarget {
  readonly database: string;
  readonly tableGroup: string;
  readonly shard: string;
  readonly user: string;
}

/** The statements that calls offer. */
export type OfferedStatement = Exclude<Statement, { type: "parse" }>;

/**
 * The statement of a request.
 *
 * @throws WRONG_TARGET, RESERVATION_LOST, or UNIMPLEMENTED with the part that is not offered
 */
export function offeredStatement(request: ExecuteRequest, served: ServedTarget): OfferedStatement {
  requireTarget(request.target, served);
  requirePlace(request.place);
  requireCaller(request.caller, served);
  if (request.statement.type === "parse") {
    throw notOffered("a statement that is only parsed");
  }
  return request.statement;
}

function requireTarget(target: QueryTarget | undefined, served: ServedTarget): void {
  if (target === undefined) {
    return;
  }
  for (const part of ["tableGroup", "shard", "database"] as const) {
    if (target[part] === "" || served[part] === "" || target[part] === served[part]) {
      continue;
    }
    throw new MultiPoolerError(
      PoolerErrorCode.WrongTarget,
      `the request is for ${part} "${target[part]}", this pooler serves "${served[part]}"`,
    );
  }
}

function requirePlace(place: Place): void {
  switch (place.type) {
    case "any":
      return;
    case "reserve":
      throw notOffered("a reservation");
    case "reserved":
      throw reservationLostError(place.id);
  }
}

function requireCaller(caller: Caller, served: ServedTarget): void {
  requireIdentity(caller, served);
  const [setting] = caller.settings.keys();
  if (setting !== undefined) {
    throw notOffered(`a caller's settings (${setting})`);
  }
}

/** @throws UNIMPLEMENTED for another role than that of the pooler */
export function requireIdentity({ user, keys }: Caller, served: ServedTarget): void {
  if (user !== "" && user !== served.user) {
    throw new MultiPoolerError(
      PoolerErrorCode.Unimplemented,
      `the request is to run as "${user}", but this pooler runs queries as "${served.user}" only`,
    );
  }
  // The role of the pooler needs none.
  if (keys !== undefined && user === "") {
    throw notOffered("a caller's SCRAM keys");
  }
}

export function notOffered(part: string): MultiPoolerError {
  const message = `this pooler does not offer ${part}`;
  return new MultiPoolerError(PoolerErrorCode.Unimplemented, message, {
    diagnostic: errorDiagnostic("0A000", message),
  });
}

function reservationLostError(id: bigint): MultiPoolerError {
  return new MultiPoolerError(
    PoolerErrorCode.ReservationLost,
    `reserved connection ${id} is not known`,
    {
      diagnostic: errorDiagnostic("40001", "reserved connection terminated; please retry", {
        detail: `reserved connection ${id} was terminated`,
      }),
    },
  );
}
