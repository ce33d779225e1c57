import { PoolerErrorCode } from "@multipooler/query-service";
import { MultiPoolerError, errorDiagnostic } from "../error.ts";
import type { BackendEnd } from "../pool/backend.ts";
import { PLAN_CHECK } from "../statements/statement-failure.ts";
import { encodeQuery } from "./input/frontend-message.ts";

/** As PostgreSQL has it: internal_error. */
const INTERNAL_ERROR = "XX000";

/** Makes a transaction of the backend fail, as the statement would have that is refused. */
export const FAILING_QUERY: Buffer = encodeQuery("refused by the connection pooler");

/** The SQLSTATE that the client gets. */
export function codeOf({ diagnostic }: MultiPoolerError): string {
  return diagnostic?.code ?? INTERNAL_ERROR;
}

/** @param name one character a byte; empty: that of the unnamed statement */
export function noStatementError(name: string): MultiPoolerError {
  const message =
    name === ""
      ? "unnamed prepared statement does not exist"
      : `prepared statement "${Buffer.from(name, "latin1").toString()}" does not exist`;
  return new MultiPoolerError(PoolerErrorCode.InvalidArgument, message, {
    diagnostic: errorDiagnostic("26000", message),
  });
}

/** @see UnitStatements */
export function foreignTextError(): MultiPoolerError {
  const message = "a statement that was prepared in UTF8 cannot be run in this client_encoding";
  return new MultiPoolerError(PoolerErrorCode.InvalidArgument, message, {
    diagnostic: errorDiagnostic("0A000", message, {
      detail:
        "The pooler may have to prepare it once more, and its text has other characters than ASCII.",
      hint: "Set client_encoding before preparing statements, or prepare this one again.",
    }),
  });
}

/** @param name one character a byte */
export function takenNameError(name: string): MultiPoolerError {
  const message = `the connection pooler keeps the name "${Buffer.from(name, "latin1").toString()}" for itself`;
  return new MultiPoolerError(PoolerErrorCode.InvalidArgument, message, {
    diagnostic: errorDiagnostic("42939", message),
  });
}

/** In PostgreSQL's words, which drivers know: they prepare the statement again. */
export function outdatedPlanError(): MultiPoolerError {
  const message = "cached plan must not change result type";
  return new MultiPoolerError(PoolerErrorCode.InvalidArgument, message, {
    diagnostic: { ...errorDiagnostic("0A000", message), routine: PLAN_CHECK },
  });
}

export function cancelledError(): MultiPoolerError {
  const message = "canceling statement due to user request";
  return new MultiPoolerError(PoolerErrorCode.Cancelled, message, {
    diagnostic: errorDiagnostic("57014", message),
  });
}

export function protocolError(problem: string): MultiPoolerError {
  return new MultiPoolerError(PoolerErrorCode.InvalidArgument, `protocol violation: ${problem}`, {
    diagnostic: errorDiagnostic("08P01", `invalid frontend message: ${problem}`),
  });
}

export function shutdownError(): MultiPoolerError {
  const message = "terminating connection due to administrator command";
  return new MultiPoolerError(PoolerErrorCode.NotServing, message, {
    diagnostic: errorDiagnostic("57P01", message),
  });
}

/** What a client is told whose backend is taken away from it. */
export function cutError(reason: MultiPoolerError, isInTransaction: boolean): MultiPoolerError {
  const diagnostic = isInTransaction
    ? errorDiagnostic("40001", "the transaction was rolled back; please retry", {
        detail: reason.message,
      })
    : errorDiagnostic("57P01", "terminating connection due to administrator command", {
        detail: reason.message,
      });
  return new MultiPoolerError(reason.code, reason.message, { cause: reason, diagnostic });
}

export function slowClientError(maxHeldBytes: number): MultiPoolerError {
  const message = `the client does not read: more than ${maxHeldBytes} bytes wait for it`;
  return new MultiPoolerError(PoolerErrorCode.InvalidArgument, message, {
    diagnostic: errorDiagnostic("53400", message, {
      hint: "The next statement of this text gets a connection of its own, which waits.",
    }),
  });
}

export function internalError(problem: string, cause?: unknown): MultiPoolerError {
  return new MultiPoolerError(PoolerErrorCode.Internal, problem, { cause });
}

/** The backend awaits what the client has taken back. */
export function outOfStepError(): MultiPoolerError {
  return internalError("a COPY was cut off while its Sync was under way");
}

/** The error of a session whose backend is gone while nothing ran on it. */
export function lostBetweenUnits(end: BackendEnd): MultiPoolerError {
  const cause = end.type === "lost" ? end.error : undefined;
  return new MultiPoolerError(
    PoolerErrorCode.ConnectionLost,
    "the connection to the database was lost",
    { cause, diagnostic: cause?.diagnostic },
  );
}
