import type { RequestEnd } from "@multipooler/pgwire";
import { PoolerErrorCode } from "@multipooler/query-service";
import { MultiPoolerError, errorDiagnostic } from "../error.ts";
import { queryError } from "../postgres-error.ts";

const QUERY_CANCELED = "57014";

/** Why a request failed that ended so, or `undefined` if it did not. */
export function failureOf(end: RequestEnd): MultiPoolerError | undefined {
  switch (end.type) {
    case "ready":
      if (end.error !== undefined) {
        return queryError(end.error);
      }
      return end.transactionStatus === "I" ? undefined : openTransactionError();
    case "sinkFailed":
      return receiverError(end.cause);
    case "lost":
      return queryError(end.error);
  }
}

/**
 * Why a call failed that was interrupted. A caller that gave up gets that as the reason; one that
 * the pooler cut off gets what became of the statement.
 *
 * @param hasDropped whether a part of the result did not reach the caller
 */
export function interruptedFailure(
  end: RequestEnd,
  why: MultiPoolerError,
  hasDropped: boolean,
): MultiPoolerError | undefined {
  if (!isCut(why)) {
    return why;
  }
  if (end.type === "ready" && end.error === undefined && hasDropped) {
    return resultLostError(why);
  }
  const isCancelled = end.type !== "lost" && end.error?.diagnostic?.code === QUERY_CANCELED;
  return isCancelled ? cutError(why) : failureOf(end);
}

/** Whether it was the pooler that interrupted the call. */
export function isCut({ code }: MultiPoolerError): boolean {
  return code === PoolerErrorCode.NotServing || code === PoolerErrorCode.NotOpen;
}

export function receiverError(cause: unknown): MultiPoolerError {
  const message = "the receiver of the results failed";
  return new MultiPoolerError(PoolerErrorCode.Cancelled, message, { cause });
}

function openTransactionError(): MultiPoolerError {
  const message = "the query string left a transaction open, which was rolled back";
  return new MultiPoolerError(PoolerErrorCode.InvalidArgument, message, {
    diagnostic: errorDiagnostic("25000", message, {
      hint: "End the transaction in the query string that begins it, or reserve a connection.",
    }),
  });
}

/** The server has confirmed the cancel: the transaction in which it came was rolled back. */
function cutError(cause: MultiPoolerError): MultiPoolerError {
  const message = "the statement was canceled because the pooler stopped serving";
  return new MultiPoolerError(PoolerErrorCode.DatabaseError, message, {
    cause,
    diagnostic: errorDiagnostic("40001", message, { detail: cause.message }),
  });
}

function resultLostError(cause: MultiPoolerError): MultiPoolerError {
  const message =
    "the statement completed, but the pooler stopped serving before its result was read";
  return new MultiPoolerError(PoolerErrorCode.ConnectionLost, message, {
    cause,
    diagnostic: errorDiagnostic("08006", message, { detail: cause.message }),
  });
}
