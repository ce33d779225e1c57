import type { CopyWay } from "@multipooler/pgwire";
import { PoolerErrorCode } from "@multipooler/query-service";
import type { CopyRequest, CopySink, CopySource, Outcome } from "@multipooler/query-service";
import type { Classification } from "../classification/classification.ts";
import { MultiPoolerError, errorDiagnostic } from "../error.ts";
import { requireTarget } from "../execution/request-checks.ts";
import type { ReservationEngine } from "../reservations/reservation-engine.ts";
import { continueWith, requireReasons, reserveFor } from "../reservations/reserved-work.ts";
import type { ReservedWork } from "../reservations/reserved-work.ts";
import { runCopy } from "./copy-run.ts";

/** A COPY for a caller. */
export type CopyCall = CopyCallParts &
  ({ readonly way: "in"; readonly source: CopySource } | { readonly way: "out" });

interface CopyCallParts {
  readonly request: CopyRequest;
  readonly sink: CopySink;
  readonly signal: AbortSignal | undefined;
}

/**
 * See `QueryService.copyIn` and `copyOut`. A COPY is a reservation of its own, or a request in one: its
 * backend is the caller's alone until the last byte.
 */
export async function copy(engine: ReservationEngine, call: CopyCall): Promise<Outcome> {
  const { request } = call;
  requireTarget(request.target, engine.served);
  const work = copyWork(engine, call);
  switch (request.place.type) {
    case "any":
      return await reserveFor(engine, { type: "reserve", reasons: 0 }, work);
    case "reserve":
      requireReasons(request.place.reasons, 1);
      return await reserveFor(engine, request.place, work);
    case "reserved":
      return await continueWith(engine, request.place, work);
  }
}

function copyWork({ classifier }: ReservationEngine, call: CopyCall): ReservedWork {
  const { request, signal, way } = call;
  return {
    request,
    signal,
    judge: () => {
      const classification = classifier.classify(request.sql);
      requireOneCopy(classification, way);
      return { statement: { type: "simple", sql: request.sql }, classification };
    },
    run: (reserved, judged) => runCopy(reserved, judged, call),
  };
}

/** Statements around a COPY would take effect, whatever becomes of that. */
function requireOneCopy({ statements, copy: found }: Classification, way: CopyWay): void {
  if (statements === 1 && found === way) {
    return;
  }
  const wanted = way === "in" ? "COPY … FROM STDIN" : "COPY … TO STDOUT";
  const message = `the query string must be one ${wanted} and nothing else`;
  throw new MultiPoolerError(PoolerErrorCode.InvalidArgument, message, {
    diagnostic: errorDiagnostic("42601", message),
  });
}
