import type { PgwireError } from "@multipooler/pgwire";
import type { Diagnostic } from "@multipooler/query-service";

const FEATURE_NOT_SUPPORTED = "0A000";
const INVALID_SQL_STATEMENT_NAME = "26000";
/** The function of PostgreSQL that says "cached plan must not change result type", in any language. */
export const PLAN_CHECK = "RevalidateCachedQuery";

/**
 * What an error before anything is run says of a statement that the backend had prepared.
 *
 * | failure  | means                                              |
 * | -------- | -------------------------------------------------- |
 * | outdated | its plan does not fit its table any more           |
 * | missing  | the backend does not have it                       |
 * | other    | it may not fit, or the error is that of its use    |
 */
export type StatementFailure = "outdated" | "missing" | "other";

export function failureOf({ diagnostic }: PgwireError): StatementFailure {
  if (isOutdated(diagnostic)) {
    return "outdated";
  }
  return diagnostic?.code === INVALID_SQL_STATEMENT_NAME ? "missing" : "other";
}

function isOutdated(diagnostic: Diagnostic | undefined): boolean {
  return diagnostic?.code === FEATURE_NOT_SUPPORTED && diagnostic.routine === PLAN_CHECK;
}
