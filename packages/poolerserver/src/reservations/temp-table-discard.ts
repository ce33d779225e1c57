import { SimpleQuery } from "@multipooler/pgwire";
import { ReservationReason } from "@multipooler/query-service";
import type { Outcome, ReservationRequest } from "@multipooler/query-service";
import { admitReserved, inTurn } from "./reservation-engine.ts";
import type { ReservationEngine } from "./reservation-engine.ts";
import type { RunOptions } from "./reserved-backend.ts";
import { endedError, endUse } from "./reserved-use.ts";

/** See `QueryService.discardTempTables`. */
export async function discardTempTables(
  engine: ReservationEngine,
  { target, caller, id }: ReservationRequest,
  options: RunOptions,
): Promise<Outcome> {
  const reserved = admitReserved(engine, { target, caller, id });
  const { reasons } = reserved;
  return await inTurn(engine, reserved, options, async () => {
    const isInTransaction = reasons.has(ReservationReason.Transaction);
    const end = await reserved.run(
      (receiver) => new SimpleQuery({ sql: "DISCARD TEMP", receiver }),
      options,
    );
    const error = endedError(reserved, end, { isInTransaction, mayCommit: false });
    if (end.fate === "done") {
      reasons.remove(ReservationReason.TempTable);
    }
    const isKept = end.fate === "done" || end.fate === "withdrawn";
    return await endUse(reserved, {
      fate: isKept ? "keep" : "close",
      settings: caller.settings,
      error,
    });
  });
}
