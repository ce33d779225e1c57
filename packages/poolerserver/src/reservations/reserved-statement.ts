import type {
  ExecuteRequest,
  Outcome,
  ReservedPlace,
  ReservePlace,
  ResultSink,
} from "@multipooler/query-service";
import { copyError, requireTarget } from "../execution/request-checks.ts";
import { classifyStatement } from "../statements/statement-classification.ts";
import type { ReservationEngine } from "./reservation-engine.ts";
import { continueWith, requireReasons, reserveFor } from "./reserved-work.ts";
import type { ReservedWork } from "./reserved-work.ts";
import { runStatement } from "./statement-run.ts";

/** A statement that reserves a backend, or runs on one that is. */
export interface StatementCall {
  readonly request: ExecuteRequest;
  readonly sink: ResultSink;
  readonly signal: AbortSignal | undefined;
}

/** Runs a statement on a backend of the pool, and keeps that for the reasons asked for. */
export async function executeAndReserve(
  engine: ReservationEngine,
  place: ReservePlace,
  call: StatementCall,
): Promise<Outcome> {
  requireTarget(call.request.target, engine.served);
  requireReasons(place.reasons, 1);
  return await reserveFor(engine, place, statementWork(engine, call));
}

/** Runs a statement on the backend of a reservation. */
export async function executeReserved(
  engine: ReservationEngine,
  place: ReservedPlace,
  call: StatementCall,
): Promise<Outcome> {
  return await continueWith(engine, place, statementWork(engine, call));
}

function statementWork(
  engine: ReservationEngine,
  { request, sink, signal }: StatementCall,
): ReservedWork {
  return {
    request,
    signal,
    judge: () => {
      const classification = classifyStatement(request.statement, engine.classifier);
      if (classification.copy !== undefined) {
        throw copyError();
      }
      return { statement: request.statement, classification };
    },
    run: (reserved, judged) => runStatement(reserved, judged, { sink, signal }),
  };
}
