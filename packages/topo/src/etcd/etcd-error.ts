import { status } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { TopoError, TopoErrorCode, interruption } from "../error.ts";

/** Whether a call of gRPC failed with `error`. */
export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && typeof error.code === "number";
}

/** The error for a call about `key` that failed: `signal` decides whether it was interrupted. */
export function callError(key: string, error: unknown, signal: AbortSignal): TopoError {
  if (error instanceof TopoError) {
    return error;
  }
  if (signal.aborted) {
    return interruption(key, signal);
  }
  const code = isServiceError(error) ? serviceCode(error) : TopoErrorCode.Internal;
  const message = isServiceError(error) ? `etcd: ${error.details}` : String(error);
  return new TopoError({ code, key, message, cause: error });
}

/** How etcd refuses who does not log in: by the status of a bad request. */
const NO_LOGIN = "etcdserver: user name is empty";

function serviceCode({ code, details }: ServiceError): TopoErrorCode {
  return details === NO_LOGIN ? TopoErrorCode.Denied : topoCode(code);
}

function topoCode(code: status): TopoErrorCode {
  switch (code) {
    case status.UNAVAILABLE:
    // Another reason for the end of a stream than our own signal: the connection.
    case status.CANCELLED:
    // Too many requests or no space: both pass, or are for an operator to see.
    case status.RESOURCE_EXHAUSTED:
    case status.ABORTED:
    // What a server that is going down, or a connection that breaks in the middle of an answer,
    // fails with.
    case status.UNKNOWN:
    case status.INTERNAL:
      return TopoErrorCode.Unavailable;
    case status.DEADLINE_EXCEEDED:
      return TopoErrorCode.Timeout;
    case status.PERMISSION_DENIED:
    case status.UNAUTHENTICATED:
      return TopoErrorCode.Denied;
    case status.INVALID_ARGUMENT:
    case status.OUT_OF_RANGE:
      return TopoErrorCode.InvalidArgument;
    case status.OK:
    case status.NOT_FOUND:
    case status.ALREADY_EXISTS:
    case status.FAILED_PRECONDITION:
    case status.UNIMPLEMENTED:
    case status.DATA_LOSS:
      return TopoErrorCode.Internal;
  }
}
