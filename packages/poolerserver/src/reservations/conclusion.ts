import { SimpleQuery } from "@multipooler/pgwire";
import { encodeCommandTag, PoolerErrorCode, ReservationReason } from "@multipooler/query-service";
import type { ConcludeRequest, Outcome } from "@multipooler/query-service";
import { MultiPoolerError, errorDiagnostic } from "../error.ts";
import type { HeldEnd } from "./held-run.ts";
import { receiverError } from "../execution/call-error.ts";
import { admitReserved, inTurn } from "./reservation-engine.ts";
import type { ReservationEngine } from "./reservation-engine.ts";
import type { ReservedBackend, RunOptions } from "./reserved-backend.ts";
import { endedError, endUse, isGone } from "./reserved-use.ts";

/** See `QueryService.concludeTransaction`. */
export async function concludeTransaction(
  engine: ReservationEngine,
  request: ConcludeRequest,
  options: RunOptions,
): Promise<Outcome> {
  const { target, caller, id } = request;
  const reserved = admitReserved(engine, { target, caller, id });
  return await inTurn(engine, reserved, options, async () => {
    if (reserved.reasons.has(ReservationReason.Transaction)) {
      return await conclude(reserved, request, options);
    }
    if (request.conclusion === "commit" || request.chain) {
      throw noTransactionError();
    }
    await write(options, encodeCommandTag("ROLLBACK"));
    return await endRolledBack(reserved, request, undefined);
  });
}

async function conclude(
  reserved: ReservedBackend,
  request: ConcludeRequest,
  options: RunOptions,
): Promise<Outcome> {
  const { conclusion, chain, caller } = request;
  const sql = `${conclusion.toUpperCase()}${chain ? " AND CHAIN" : ""}`;
  const end = await reserved.run((receiver) => new SimpleQuery({ sql, receiver }), options);
  const mayCommit = conclusion === "commit";
  const error = errorOf(reserved, end, mayCommit);
  if (isGone(end)) {
    return await endUse(reserved, { fate: "close", settings: caller.settings, error });
  }
  if (isOver(end, chain)) {
    reserved.transactionEnded(end.hasCommitted ? "commit" : "rollback");
    if (end.transactionStatus !== "I") {
      reserved.transactionBegan();
    }
    if (!end.hasCommitted) {
      return await endRolledBack(reserved, request, error);
    }
  }
  return await endUse(reserved, { fate: "keep", settings: caller.settings, error });
}

/**
 * Whether the transaction is over. The server says so: a COMMIT that fails has rolled back, while one
 * that was cancelled before it began leaves a failed transaction.
 */
function isOver({ fate, transactionStatus }: HeldEnd, chain: boolean): boolean {
  return fate !== "withdrawn" && (transactionStatus === "I" || (chain && fate === "done"));
}

/** A COMMIT that went through is a success although its caller gave up meanwhile. */
function errorOf(
  reserved: ReservedBackend,
  end: HeldEnd,
  mayCommit: boolean,
): MultiPoolerError | undefined {
  const isConfirmed = end.fate === "broken" && end.hasCommitted;
  return isConfirmed && end.error?.code !== PoolerErrorCode.ConnectionLost
    ? undefined
    : endedError(reserved, end, { isInTransaction: true, mayCommit });
}

/** Portals of the transaction are closed, and its settings are gone. */
async function endRolledBack(
  reserved: ReservedBackend,
  { releases, rollbackSettings }: ConcludeRequest,
  error: MultiPoolerError | undefined,
): Promise<Outcome> {
  const { reasons } = reserved;
  if (releases === "all") {
    reasons.unpinAll();
  } else {
    reasons.unpin(releases);
  }
  const isUnknown = reasons.isEmpty && rollbackSettings === undefined;
  return await endUse(reserved, {
    fate: isUnknown ? "close" : "keep",
    settings: rollbackSettings ?? new Map(),
    error,
  });
}

async function write({ sink }: RunOptions, tag: Uint8Array): Promise<void> {
  try {
    await sink.write({ type: "complete", bytes: tag });
  } catch (error) {
    throw receiverError(error);
  }
}

function noTransactionError(): MultiPoolerError {
  const message = "no active transaction";
  return new MultiPoolerError(PoolerErrorCode.InvalidArgument, message, {
    diagnostic: errorDiagnostic("25P01", message),
  });
}
