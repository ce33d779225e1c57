import { PoolerErrorCode, ReservationReason } from "@multipooler/query-service";
import type {
  ExecuteRequest,
  Outcome,
  ReservedPlace,
  ReservePlace,
} from "@multipooler/query-service";
import { MultiPoolerError, errorDiagnostic } from "../error.ts";
import { settingsOf } from "../pool/label.ts";
import type { Label } from "../pool/label.ts";
import { eitherEscape } from "../read-only-guard.ts";
import type { ReadOnlyEscapes } from "../read-only-guard.ts";
import { backendStatement, preparationOf } from "../statements/backend-statement.ts";
import { WRITABLE_SESSION } from "../writable-session.ts";
import { admitReserved, identityOf, inTurn, modeOf } from "./reservation-engine.ts";
import type { ReservationEngine } from "./reservation-engine.ts";
import type { ReservedBackend } from "./reserved-backend.ts";
import { settleStatement } from "./statement-outcome.ts";
import type { AskedFor } from "./statement-outcome.ts";
import type { JudgedBegin, JudgedStatement, StatementEnd } from "./statement-run.ts";

const KNOWN_REASONS = 0xff;
/** A new reservation is tried on so many backends, if PostgreSQL certainly saw nothing of it. */
const MAX_ATTEMPTS = 3;
const DEFAULT_BEGIN = "BEGIN";
const NO_RECEIVER = { event: () => undefined, settle: () => undefined };

/** What a request does on a reserved backend. */
export interface ReservedWork {
  readonly request: Pick<ExecuteRequest, "target" | "caller">;
  /** Interrupts the wait for the backend. */
  readonly signal: AbortSignal | undefined;
  /** What it runs. Throws for what is refused. */
  judge(): Pick<JudgedStatement, "statement" | "classification">;
  run(reserved: ReservedBackend, judged: JudgedStatement): Promise<StatementEnd>;
}

/** Does `work` on a backend of the pool, and keeps that for the reasons asked for. */
export async function reserveFor(
  engine: ReservationEngine,
  place: ReservePlace,
  work: ReservedWork,
): Promise<Outcome> {
  const { request } = work;
  const judged = judge(engine, work, beginOf(place));
  // What cannot be sent is refused before anybody waits for a backend.
  const { byteLength } = backendStatement(
    judged.statement,
    judged.preparation,
    NO_RECEIVER,
  ).request;
  const label = engine.labels.of(request.caller);
  const reserved = engine.reservations.create(identityOf(request.caller, engine.served));
  try {
    engine.gate.enter("reservation", modeOf(request.target), reserved);
    requireReadOnly(engine, judged);
    const end = await runOnNewBackend({ reserved, judged, byteLength, label }, work);
    const asked = { place, judged, settings: request.caller.settings };
    return await settled(engine, reserved, end, asked);
  } catch (error) {
    if (reserved.reservation === undefined) {
      await reserved.giveBack(request.caller.settings);
    }
    throw error;
  } finally {
    reserved.pass(engine.clock.monotonic());
  }
}

/** Does `work` on the backend of a reservation. */
export async function continueWith(
  engine: ReservationEngine,
  place: ReservedPlace,
  work: ReservedWork,
): Promise<Outcome> {
  const { request, signal } = work;
  const reserved = admitReserved(engine, { ...request, id: place.id });
  return await inTurn(engine, reserved, { signal }, async () => {
    requireReasons(place.reasons ?? 0, 0);
    const begins = !reserved.reasons.has(ReservationReason.Transaction);
    const judged = judge(engine, work, begins ? beginOf(place) : undefined);
    requireReadOnly(engine, judged);
    requireAllowed(engine, reserved.isWritable ? WRITABLE_SESSION : undefined);
    reserved.restoreSettings(() => settingsOf({ label: engine.labels.of(request.caller) }));
    const end = await work.run(reserved, judged);
    const asked = { place, judged, settings: request.caller.settings };
    return await settled(engine, reserved, end, asked);
  });
}

async function runOnNewBackend(
  wanted: {
    readonly reserved: ReservedBackend;
    readonly judged: JudgedStatement;
    readonly byteLength: number;
    readonly label: Label | undefined;
  },
  work: ReservedWork,
): Promise<StatementEnd> {
  const { reserved, judged, byteLength, label } = wanted;
  const { origin, virtualPid } = work.request.caller;
  for (let attempt = 1; ; attempt += 1) {
    await reserved.acquire({ origin, label, virtualPid, byteLength, signal: work.signal });
    const run = await work.run(reserved, judged);
    if (run.end.fate !== "unsent" || run.hasBegun) {
      return run;
    }
    if (attempt === MAX_ATTEMPTS && run.end.error !== undefined) {
      throw run.end.error;
    }
    reserved.drop(run.end.error);
  }
}

async function settled(
  engine: ReservationEngine,
  reserved: ReservedBackend,
  end: StatementEnd,
  asked: AskedFor,
): Promise<Outcome> {
  try {
    return await settleStatement(reserved, end, asked, engine);
  } finally {
    if (asked.judged.classification.ddl) {
      engine.classifier.noteDdl();
    }
  }
}

function judge(
  { classifier, registry, labels }: ReservationEngine,
  work: ReservedWork,
  begin: string | undefined,
): JudgedStatement {
  const { statement, classification } = work.judge();
  if (classification.ddl) {
    classifier.noteDdl();
  }
  const { caller } = work.request;
  return {
    statement,
    classification,
    preparation: preparationOf(registry, labels.of(caller), classification.taint),
    begin: begin === undefined ? undefined : judgeBegin(begin, classifier.classify(begin)),
  };
}

function judgeBegin(sql: string, classification: JudgedBegin["classification"]): JudgedBegin {
  if (!classification.opensTransaction || classification.endsTransaction) {
    const message = `begin must open a transaction, and "${sql}" does not`;
    throw new MultiPoolerError(PoolerErrorCode.InvalidArgument, message);
  }
  return { sql, classification };
}

function beginOf({ reasons = 0, begin }: ReservePlace | ReservedPlace): string | undefined {
  if ((reasons & ReservationReason.Transaction) === 0) {
    return undefined;
  }
  return begin === undefined || begin === "" ? DEFAULT_BEGIN : begin;
}

/** @throws READ_ONLY */
function requireReadOnly(engine: ReservationEngine, judged: JudgedStatement): void {
  const { classification, begin } = judged;
  requireAllowed(engine, eitherEscape(classification.escapes, begin?.classification.escapes));
}

/** @throws READ_ONLY */
function requireAllowed({ gate }: ReservationEngine, escapes: ReadOnlyEscapes | undefined): void {
  const refusal = gate.readOnlyRefusal(escapes);
  if (refusal !== undefined) {
    throw refusal;
  }
}

/** @throws INVALID_ARGUMENT */
export function requireReasons(reasons: number, least: number): void {
  const isKnown = Number.isInteger(reasons) && reasons >= least && reasons <= KNOWN_REASONS;
  if (!isKnown) {
    const message = `reasons must be from ${least} to ${KNOWN_REASONS}, not ${reasons}`;
    throw new MultiPoolerError(PoolerErrorCode.InvalidArgument, message, {
      diagnostic: errorDiagnostic("22023", message),
    });
  }
}
