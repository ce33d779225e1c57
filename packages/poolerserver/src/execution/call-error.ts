import type { RequestEnd } from "@multipooler/pgwire";
import { PoolerErrorCode } from "@multipooler/query-service";
import { MultiPoolerError, errorDiagnostic } from "../error.ts";
import { queryError } from "../postgres-error.ts";
import { MAX_KEPT_BYTES } from "./kept-events.ts";

const QUERY_CANCELED = "57014";
const TRANSACTION_RESOLUTION_UNKNOWN = "08007";
const PART_COMMITTED = "A part of the query string before it was committed, and stays so.";

/** What an answer told besides its end; a `Receiver` gathers it. */
export interface AnswerFacts {
  /** A part of the result did not reach the caller. */
  readonly hasDropped: boolean;
  /** A statement of the query string has committed. */
  readonly hasCommitted: boolean;
  /** A commit did not wait any more for the standbys that were to confirm it. */
  readonly isUnconfirmed: boolean;
  /** A portal has more rows than were asked for. */
  readonly isSuspended: boolean;
}

/** Why a request failed that succeeded, but had to leave no transaction; `undefined` if it has not. */
export function openTransactionFailure(
  end: RequestEnd,
  { hasCommitted }: AnswerFacts,
): MultiPoolerError | undefined {
  return end.type === "ready" && end.transactionStatus !== "I"
    ? openTransactionError(hasCommitted)
    : undefined;
}

/** Why a request failed that ended so, whatever it leaves; `undefined` if it did not. */
export function answerFailure(
  end: RequestEnd,
  { isUnconfirmed }: AnswerFacts,
): MultiPoolerError | undefined {
  switch (end.type) {
    case "ready":
      if (end.error !== undefined) {
        return queryError(end.error);
      }
      return isUnconfirmed ? unconfirmedError() : undefined;
    case "sinkFailed":
      return receiverError(end.cause);
    case "lost":
      return queryError(end.error);
  }
}

/**
 * Why a call failed that was interrupted. A caller that gave up gets that as the reason; one that
 * the pooler cut off gets what became of the statement.
 */
export function interruptedFailure(
  end: RequestEnd,
  why: MultiPoolerError,
  facts: AnswerFacts,
): MultiPoolerError | undefined {
  if (facts.isUnconfirmed) {
    return unconfirmedError(why);
  }
  if (!isCut(why)) {
    return why;
  }
  if (end.type === "ready" && end.error === undefined && facts.hasDropped) {
    return resultLostError(why);
  }
  const isCancelled = end.type !== "lost" && end.error?.diagnostic?.code === QUERY_CANCELED;
  return isCancelled ? cutError(why, facts.hasCommitted) : answerFailure(end, facts);
}

/** Whether it was the pooler that interrupted the call. */
export function isCut({ code }: MultiPoolerError): boolean {
  return code === PoolerErrorCode.NotServing || code === PoolerErrorCode.NotOpen;
}

export function receiverError(cause: unknown): MultiPoolerError {
  const message = "the receiver of the results failed";
  return new MultiPoolerError(PoolerErrorCode.Cancelled, message, { cause });
}

/** The caller reads so slowly that others on the same backend would have to wait for it. */
export function slowReceiverError(): MultiPoolerError {
  const message = `the receiver of the results is too slow: more than ${MAX_KEPT_BYTES} bytes wait for it`;
  return new MultiPoolerError(PoolerErrorCode.InvalidArgument, message, {
    diagnostic: errorDiagnostic("53400", message, {
      hint: "The next statement of this form gets a connection of its own, which waits.",
    }),
  });
}

/** It is committed on this server, and nobody knows whether on any other. */
function unconfirmedError(cause?: MultiPoolerError): MultiPoolerError {
  const message =
    "the outcome of the transaction is unknown: the wait for its synchronous replication was cut";
  return new MultiPoolerError(PoolerErrorCode.ConnectionLost, message, {
    cause,
    diagnostic: errorDiagnostic(TRANSACTION_RESOLUTION_UNKNOWN, message, {
      detail:
        "The transaction has committed locally, but might not have been replicated to the standby.",
    }),
  });
}

function openTransactionError(hasCommitted: boolean): MultiPoolerError {
  const message = "the query string left a transaction open, which was rolled back";
  return new MultiPoolerError(PoolerErrorCode.InvalidArgument, message, {
    diagnostic: errorDiagnostic("25000", message, {
      ...(hasCommitted && { detail: PART_COMMITTED }),
      hint: "End the transaction in the query string that begins it, or reserve a connection.",
    }),
  });
}

/**
 * The server has confirmed the cancel: the transaction in which it came was rolled back. It is safe
 * to repeat unless one before it in the same query string was committed.
 */
function cutError(cause: MultiPoolerError, hasCommitted: boolean): MultiPoolerError {
  const message = "the statement was canceled because the pooler stopped serving";
  return new MultiPoolerError(PoolerErrorCode.DatabaseError, message, {
    cause,
    diagnostic: hasCommitted
      ? errorDiagnostic(QUERY_CANCELED, message, { detail: PART_COMMITTED, hint: cause.message })
      : errorDiagnostic("40001", message, { detail: cause.message }),
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
