import { isTimeout } from "@multipooler/timing";
import { messageOf } from "../error-message.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";

/** The refusal of an argument. */
export function invalidArgument(message: string): ManagerError {
  return new ManagerError(ManagerErrorCode.InvalidArgument, message);
}

/** The refusal by what the server is, or how it is set up. */
export function failedPrecondition(message: string): ManagerError {
  return new ManagerError(ManagerErrorCode.FailedPrecondition, message);
}

/** What was waited for did not come about. */
export function timedOut(message: string): ManagerError {
  return new ManagerError(ManagerErrorCode.TimedOut, message);
}

/** The end of a wait by its signal: TIMED_OUT where that is a deadline, else CANCELLED. */
export function interrupted({ reason }: AbortSignal): ManagerError {
  return isTimeout(reason)
    ? new ManagerError(ManagerErrorCode.TimedOut, messageOf(reason), { cause: reason })
    : new ManagerError(ManagerErrorCode.Cancelled, "the call was cancelled", { cause: reason });
}
