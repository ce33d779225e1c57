import { PoolerErrorCode } from "../error.ts";
import type { PoolerError } from "../error.ts";
import { encodeDiagnostic } from "./diagnostic-message.ts";

/** ERROR: the conversation goes on. FATAL: it is the last word. */
export type ErrorSeverity = "ERROR" | "FATAL";

/** What a statement is refused with by the serving status, over every transport. */
const REFUSED_BY_STATUS = "MTF01";

/**
 * The SQLSTATE for a code of the pooler where no error of PostgreSQL is at hand. Clients of the
 * protocol are drivers, which know PostgreSQL's codes: what passes is 57P03 or 53300 for them. libpq
 * goes on to its next host when a login is refused with 57P03.
 */
const SQLSTATE: Readonly<Record<PoolerErrorCode, string>> = {
  NOT_INITIALIZED: "57P03",
  NOT_OPEN: "57P03",
  NOT_SERVING: "57P03",
  WRONG_TARGET: "3D000",
  INVALID_ARGUMENT: "22023",
  UNIMPLEMENTED: "0A000",
  READ_ONLY: "25006",
  RESERVATION_LOST: "40001",
  POOL_EXHAUSTED: "53300",
  PRE_EXECUTION_UNAVAILABLE: "57P03",
  AUTHENTICATION_FAILED: "28000",
  CONNECTION_LOST: "08006",
  DATABASE_ERROR: "XX000",
  SUBSCRIBER_BEHIND: "53400",
  CANCELLED: "57014",
  DEADLINE_EXCEEDED: "57014",
  INTERNAL: "XX000",
};

/** The ErrorResponse for an error of an executor: the only place where they become messages. */
export function encodePoolerError(
  error: Pick<PoolerError, "code" | "message" | "diagnostic">,
  severity: ErrorSeverity,
): Uint8Array {
  const { code, message, diagnostic } = error;
  if (diagnostic !== undefined) {
    return encodeDiagnostic({
      ...diagnostic,
      kind: "error",
      severity,
      localizedSeverity: severity,
    });
  }
  // The text of an INTERNAL error is for the log.
  const text = code === PoolerErrorCode.Internal ? "internal error of the pooler" : message;
  return encodeDiagnostic({
    kind: "error",
    severity,
    code: sqlStateOf(code, severity),
    message: text.replaceAll("\0", ""),
  });
}

/** A session that goes on is to tell a refusal by the status from errors of PostgreSQL, also from its 57P03. */
function sqlStateOf(code: PoolerErrorCode, severity: ErrorSeverity): string {
  const isRefusal = code === PoolerErrorCode.NotServing && severity === "ERROR";
  return isRefusal ? REFUSED_BY_STATUS : SQLSTATE[code];
}
