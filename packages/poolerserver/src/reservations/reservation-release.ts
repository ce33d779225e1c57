import { SimpleQuery } from "@multipooler/pgwire";
import { PoolerErrorCode, ReservationReason } from "@multipooler/query-service";
import type { Outcome, ReleaseRequest } from "@multipooler/query-service";
import { Deadline } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { MultiPoolerError } from "../error.ts";
import { admitReserved, inTurn } from "./reservation-engine.ts";
import type { ReservationEngine } from "./reservation-engine.ts";
import type { ReservedBackend } from "./reserved-backend.ts";
import { endUse } from "./reserved-use.ts";

const STEP_TIMEOUT_MS = 5000;
/** What DISCARD ALL takes away, but for plans and the registry's statements. A seed cannot be taken away. */
const DISCARD = [
  "CLOSE ALL",
  "SET SESSION AUTHORIZATION DEFAULT",
  "RESET ALL",
  "UNLISTEN *",
  "SELECT pg_catalog.pg_advisory_unlock_all()",
  "DISCARD TEMP",
  "DISCARD SEQUENCES",
].join(";");
const NOTHING_HELD: Outcome = { reservation: undefined };

/** See `QueryService.releaseReservation`. It comes before the requests that wait for their turn. */
export async function releaseReservation(
  engine: ReservationEngine,
  { target, caller, id, keepsSticky }: ReleaseRequest,
): Promise<Outcome> {
  let reserved: ReservedBackend;
  try {
    reserved = admitReserved(engine, { target, caller, id });
  } catch (error) {
    return orNothingHeld(error);
  }
  reserved.beginRelease(
    new MultiPoolerError(PoolerErrorCode.Cancelled, "the reservation is released"),
  );
  try {
    return await inTurn(engine, reserved, { isNext: true }, async () => {
      const staysSticky = keepsSticky && reserved.reasons.has(ReservationReason.SetSeed);
      if (staysSticky && (await cleanSticky(reserved, engine))) {
        reserved.reasons.clear();
        reserved.reasons.add(ReservationReason.SetSeed, []);
      } else {
        reserved.reasons.clear();
      }
      reserved.settleRelease();
      return await endUse(reserved, {
        fate: "keep",
        settings: caller.settings,
        error: undefined,
      });
    });
  } catch (error) {
    return orNothingHeld(error);
  }
}

/**
 * Brings the session of a sticky reservation to where nothing but the seed is left. A gateway keeps one
 * for DISCARD ALL, and resets its own settings behind it: they come with its next request.
 */
async function cleanSticky(
  reserved: ReservedBackend,
  { clock }: { readonly clock: Clock },
): Promise<boolean> {
  const steps = reserved.transactionStatus === "I" ? [DISCARD] : ["ROLLBACK", DISCARD];
  for (const sql of steps) {
    using deadline = new Deadline({ clock, ms: STEP_TIMEOUT_MS, what: sql });
    const { fate } = await reserved.run((receiver) => new SimpleQuery({ sql, receiver }), {
      sink: { write: () => undefined },
      signal: deadline.signal,
    });
    if (fate !== "done") {
      await reserved.discard(undefined);
      return false;
    }
  }
  reserved.noteReset();
  return true;
}

/** What is not there needs no release. */
function orNothingHeld(error: unknown): Outcome {
  if (error instanceof MultiPoolerError && error.code === PoolerErrorCode.ReservationLost) {
    return NOTHING_HELD;
  }
  throw error;
}
