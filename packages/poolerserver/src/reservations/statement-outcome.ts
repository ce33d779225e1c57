import { ReservationReason } from "@multipooler/query-service";
import type { Outcome, ReservedPlace, ReservePlace, Settings } from "@multipooler/query-service";
import type { Clock } from "@multipooler/timing";
import { Taint } from "../classification/taint.ts";
import { recheckAdvisoryLocks } from "./advisory-locks.ts";
import type { HeldEnd } from "./held-run.ts";
import type { ReservedBackend } from "./reserved-backend.ts";
import { endedError, endUse, isGone } from "./reserved-use.ts";
import type { JudgedStatement, StatementEnd } from "./statement-run.ts";

/** The portal of a statement with parameters. */
const UNNAMED = "";

/** What a statement on a reserved backend asked for. */
export interface AskedFor {
  readonly place: ReservePlace | ReservedPlace;
  readonly judged: JudgedStatement;
  readonly settings: Settings;
}

/**
 * Settles the reasons of a reservation after a statement, and ends the request.
 *
 * | the statement              | reasons                                                | without any left      |
 * | -------------------------- | ------------------------------------------------------ | --------------------- |
 * | succeeded                  | those asked for, less what it released                 | goes back to the pool |
 * | failed                     | those asked for, less what was to be made by it        | goes back to the pool |
 * | was broken off             | as if it had failed; a new one has its transaction only | is closed             |
 * | was withdrawn              | as before                                              | goes back to the pool |
 * | could not be begun         | as before                                              | goes back to the pool |
 * | took the backend with it   | none                                                   | is gone               |
 */
export async function settleStatement(
  reserved: ReservedBackend,
  { end, hasBegun }: StatementEnd,
  asked: AskedFor,
  engine: { readonly clock: Clock },
): Promise<Outcome> {
  const { place, judged, settings } = asked;
  const { reasons } = reserved;
  const wasInTransaction = reasons.has(ReservationReason.Transaction);
  if (hasBegun) {
    reserved.transactionBegan();
  }
  if (end.fate !== "withdrawn" && (judged.begin === undefined || hasBegun)) {
    applyReasons(reserved, end, asked);
  }
  if (end.fate === "done" && place.recheckAdvisoryLocks === true) {
    await recheckAdvisoryLocks(reserved, engine);
  }
  const isUnknown =
    end.fate === "broken" && (reasons.isEmpty || (place.type === "reserve" && !hasBegun));
  const error = endedError(reserved, end, {
    isInTransaction: wasInTransaction || judged.begin !== undefined,
    mayCommit: judged.classification.endsTransaction,
  });
  return await endUse(reserved, {
    fate: isUnknown || isGone(end) ? "close" : "keep",
    settings,
    error,
  });
}

function applyReasons(reserved: ReservedBackend, end: HeldEnd, { place, judged }: AskedFor): void {
  const { reasons } = reserved;
  const wanted = (place.reasons ?? 0) & ~ReservationReason.Transaction;
  const added = reasons.add(wanted, place.pins ?? []);
  const { statement } = judged;
  const portals = statement.type === "prepared" ? [statement.portal ?? UNNAMED] : [];
  if (end.isSuspended) {
    reasons.pin(portals);
  } else {
    reasons.unpin(portals);
  }
  if (end.fate !== "done") {
    reasons.undo(added);
    return;
  }
  if ((wanted & ReservationReason.TempTable) !== 0) {
    // The session keeps its temporary schema, and can never change temp_buffers again.
    reserved.taint(Taint.Lasting);
  }
  reasons.unpin(place.type === "reserved" ? (place.releases ?? []) : []);
}
