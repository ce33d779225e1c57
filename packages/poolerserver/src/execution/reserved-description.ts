import { ReservationReason } from "@multipooler/query-service";
import type {
  DescribeRequest,
  ReservedPlace,
  StatementDescription,
} from "@multipooler/query-service";
import { Taint } from "../classification/taint.ts";
import { parseConditions } from "../statements/parse-conditions.ts";
import { statementRun } from "../statements/statement-run.ts";
import { Description } from "./description.ts";
import { admitReserved, inTurn } from "./reservation-engine.ts";
import type { ReservationEngine } from "./reservation-engine.ts";
import { endedError, endUse, isGone } from "./reserved-use.ts";

/** Describes a statement as the session of a reservation sees it. */
export async function describeReserved(
  engine: ReservationEngine,
  { id }: ReservedPlace,
  request: DescribeRequest,
  signal: AbortSignal | undefined,
): Promise<StatementDescription> {
  const { target, caller, statement, binding } = request;
  const { registry, classifier } = engine;
  const reserved = admitReserved(engine, { target, user: caller.user, id });
  return await inTurn(engine, reserved, { signal }, async () => {
    const description = new Description();
    const end = await reserved.run(
      (receiver, lease) => {
        const run = statementRun(
          { type: "describe", ...statement, binding },
          { registry, conditions: parseConditions(caller.settings), drops: false, receiver },
        );
        run.placeOn(lease);
        return run.request;
      },
      { sink: description, signal, onDescribed: description.described },
    );
    // Planning a portal may call functions that say of themselves that they change nothing.
    reserved.taint(binding === undefined ? Taint.None : classifier.classify(statement.sql).taint);
    const isInTransaction = reserved.reasons.has(ReservationReason.Transaction);
    const error = endedError(reserved, end, { isInTransaction, mayCommit: false });
    const fate = isGone(end) ? "close" : "keep";
    await endUse(reserved, { fate, settings: caller.settings, error });
    return description.value;
  });
}
