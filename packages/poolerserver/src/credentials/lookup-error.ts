import { PoolerErrorCode } from "@multipooler/query-service";
import { MultiPoolerError, isPoolerError } from "../error.ts";

/** Bytes that are no text (22021), and characters that the database's encoding lacks (22P05). */
const UNKNOWN_TEXT = new Set(["22021", "22P05"]);

/** Whether the database said that a name cannot be text of its encoding. */
export function isUnknownText(error: unknown): boolean {
  const sqlState = isPoolerError(error) ? error.diagnostic?.code : undefined;
  return sqlState !== undefined && UNKNOWN_TEXT.has(sqlState);
}

/**
 * Why a role could not be looked up, for the client that logs in. What goes wrong with the manager's
 * own connection is not that client's: a refused password there is not its password, and a limit
 * there not its deadline.
 */
export function lookupError(error: unknown): MultiPoolerError {
  if (!isPoolerError(error)) {
    const message = "a role could not be looked up";
    return new MultiPoolerError(PoolerErrorCode.Internal, message, { cause: error });
  }
  const { message, diagnostic } = error;
  switch (error.code) {
    case PoolerErrorCode.DatabaseError:
      return new MultiPoolerError(error.code, message, { cause: error, diagnostic });
    case PoolerErrorCode.PreExecutionUnavailable:
    case PoolerErrorCode.NotInitialized:
    case PoolerErrorCode.NotOpen:
    case PoolerErrorCode.NotServing:
    case PoolerErrorCode.PoolExhausted:
    case PoolerErrorCode.AuthenticationFailed:
    case PoolerErrorCode.ConnectionLost:
    case PoolerErrorCode.Cancelled:
    case PoolerErrorCode.DeadlineExceeded:
      return new MultiPoolerError(PoolerErrorCode.PreExecutionUnavailable, message, {
        cause: error,
      });
    case PoolerErrorCode.WrongTarget:
    case PoolerErrorCode.InvalidArgument:
    case PoolerErrorCode.Unimplemented:
    case PoolerErrorCode.ReadOnly:
    case PoolerErrorCode.ReservationLost:
    case PoolerErrorCode.SubscriberBehind:
    case PoolerErrorCode.Internal:
      return new MultiPoolerError(PoolerErrorCode.Internal, message, { cause: error });
  }
}
