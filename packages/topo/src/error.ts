/**
 * Why a topology operation failed. Closed: callers switch on `code`, never on the message.
 *
 * | code             | meaning                                                                   | retry |
 * | ---------------- | ------------------------------------------------------------------------- | ----- |
 * | NO_NODE          | the key does not exist                                                    | no    |
 * | NODE_EXISTS      | the key, or the lock, exists already                                      | no    |
 * | BAD_VERSION      | the key changed since it was read                                         | after reading again |
 * | TIMEOUT          | the deadline passed; a write may or may not have happened                 | after reading back |
 * | INTERRUPTED      | the caller's signal aborted, or the store was closed                      | no    |
 * | PARTIAL_RESULT   | some of what was asked for could be read, and some could not              | yes   |
 * | SESSION_LOST     | the session expired or was closed, and everything bound to it is gone     | with a new session |
 * | UNAVAILABLE      | the topology server cannot be reached; a write may or may not have happened | after reading back |
 * | DENIED           | the topology server refused the credentials or the permission             | no    |
 * | INVALID_ARGUMENT | a name, a key or a value that the topology cannot hold                    | no    |
 * | INVALID_RECORD   | the value under the key is not a record of the expected type              | no    |
 * | INTERNAL         | the backend broke its own rules, for instance a damaged file              | no    |
 */
export const TopoErrorCode = {
  NoNode: "NO_NODE",
  NodeExists: "NODE_EXISTS",
  BadVersion: "BAD_VERSION",
  Timeout: "TIMEOUT",
  Interrupted: "INTERRUPTED",
  PartialResult: "PARTIAL_RESULT",
  SessionLost: "SESSION_LOST",
  Unavailable: "UNAVAILABLE",
  Denied: "DENIED",
  InvalidArgument: "INVALID_ARGUMENT",
  InvalidRecord: "INVALID_RECORD",
  Internal: "INTERNAL",
} as const;
export type TopoErrorCode = (typeof TopoErrorCode)[keyof typeof TopoErrorCode];

export interface TopoErrorOptions {
  readonly code: TopoErrorCode;
  /** The key, prefix or address that the operation was about. */
  readonly key: string;
  /** What went wrong, without the key. */
  readonly message: string;
  readonly cause?: unknown;
}

/** The error that everything in this package throws or rejects with. */
export class TopoError extends Error {
  override readonly name = "TopoError";
  readonly code: TopoErrorCode;
  /** The key, prefix or address that the operation was about. */
  readonly key: string;

  constructor({ code, key, message, cause }: TopoErrorOptions) {
    super(`${key}: ${message}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.key = key;
  }
}

/** Whether `error` is a {@link TopoError}, with one of `codes` where any are given. */
export function isTopoError(
  error: unknown,
  ...codes: readonly TopoErrorCode[]
): error is TopoError {
  return error instanceof TopoError && (codes.length === 0 || codes.includes(error.code));
}

/** What `read` reads; `undefined` where there is no such record. Rejects with every other error. */
export async function unlessAbsent<Found>(read: () => Promise<Found>): Promise<Found | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isTopoError(error, TopoErrorCode.NoNode)) {
      return undefined;
    }
    throw error;
  }
}

/** Whether `error` is one that waiting does not cure: somebody has to change something. */
export function isPermanent(error: unknown): error is TopoError {
  return isTopoError(
    error,
    TopoErrorCode.Denied,
    TopoErrorCode.InvalidArgument,
    TopoErrorCode.InvalidRecord,
    TopoErrorCode.Internal,
  );
}

/**
 * The error for a signal that aborted while `key` was worked on: TIMEOUT where the reason is a
 * deadline, INTERRUPTED otherwise.
 */
export function interruption(key: string, signal: AbortSignal): TopoError {
  const reason: unknown = signal.reason;
  if (reason instanceof TopoError) {
    return reason;
  }
  const timedOut = reason instanceof Error && reason.name === "TimeoutError";
  return new TopoError({
    code: timedOut ? TopoErrorCode.Timeout : TopoErrorCode.Interrupted,
    key,
    message: timedOut ? "the deadline passed" : "interrupted",
    cause: reason,
  });
}

/** The error for an operation on `key` that the closing of its store ended or forbids. */
export function storeClosed(key: string): TopoError {
  const message = "the topology store is closed";
  return new TopoError({ code: TopoErrorCode.Interrupted, key, message });
}
