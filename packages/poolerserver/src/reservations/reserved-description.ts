import type {
  DescribeRequest,
  ReservedPlace,
  StatementDescription,
} from "@multipooler/query-service";
import { Taint } from "../classification/taint.ts";
import { preparationOf } from "../statements/backend-statement.ts";
import { Description } from "../execution/description.ts";
import { admitReserved, inTurn } from "./reservation-engine.ts";
import type { ReservationEngine } from "./reservation-engine.ts";
import { endedError, endUse, isGone } from "./reserved-use.ts";
import { runPrepared } from "./statement-run.ts";

/** Describes a statement on the backend of a reservation, which it leaves as it was. */
export async function describeReserved(
  engine: ReservationEngine,
  place: ReservedPlace,
  call: { readonly request: DescribeRequest; readonly signal: AbortSignal | undefined },
): Promise<StatementDescription> {
  const { request, signal } = call;
  const { target, caller, statement, binding } = request;
  const reserved = admitReserved(engine, { target, caller, id: place.id });
  return await inTurn(engine, reserved, { signal }, async () => {
    const { taint } =
      binding === undefined ? { taint: Taint.None } : engine.classifier.classify(statement.sql);
    reserved.taint(taint);
    const description = new Description();
    const described = {
      statement: { type: "describe", ...statement, binding },
      preparation: preparationOf(engine.registry, engine.labels.of(caller), taint),
    } as const;
    const end = await runPrepared(reserved, described, {
      sink: description,
      signal,
      onDescribed: description.described,
    });
    // Nothing that the caller did itself is of unknown outcome.
    const error = endedError(reserved, end, { isInTransaction: true, mayCommit: false });
    const fate = isGone(end) ? "close" : "keep";
    await endUse(reserved, { fate, settings: caller.settings, error });
    return description.value;
  });
}
