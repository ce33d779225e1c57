import type { Diagnostic } from "@multipooler/query-service";
import { PgwireError, PgwireErrorCode, postgresError } from "../error.ts";

/** POSTGRES for an error that answers a request, CONNECTION_LOST for one with which the session ends. */
export function serverError(
  diagnostic: Diagnostic,
  { isAnswer }: { readonly isAnswer: boolean },
): PgwireError {
  const isFatal = diagnostic.severity === "FATAL" || diagnostic.severity === "PANIC";
  // An error that answers nothing is the server's last word, whatever its severity.
  if (isAnswer && !isFatal) {
    return postgresError(diagnostic, { sent: true });
  }
  return new PgwireError(
    PgwireErrorCode.ConnectionLost,
    `the server ended the session: ${diagnostic.message}`,
    { diagnostic },
  );
}
