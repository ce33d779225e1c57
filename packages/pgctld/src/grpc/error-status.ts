import { Metadata, status } from "@grpc/grpc-js";
import type { StatusObject } from "@grpc/grpc-js";
import { PgctldError, PgctldErrorCode } from "../error.ts";

/** Carries the code of the error, for clients of this package. */
const CODE_KEY = "pgctld-error-code";

/** The status that a call fails with. Unknown errors say nothing of themselves. */
export function errorStatus(error: unknown): StatusObject {
  const metadata = new Metadata();
  if (!(error instanceof PgctldError)) {
    return { code: status.INTERNAL, details: "internal error", metadata };
  }
  metadata.set(CODE_KEY, error.code);
  return { code: grpcCode(error.code), details: error.message, metadata };
}

/** The error of a call that failed with a status. */
export function statusError(code: status, details: string, metadata: Metadata): PgctldError {
  const [carried] = metadata.get(CODE_KEY);
  const known = Object.values(PgctldErrorCode).find((each) => each === carried);
  if (known !== undefined) {
    return new PgctldError(known, details);
  }
  switch (code) {
    case status.UNAVAILABLE:
      return new PgctldError(
        PgctldErrorCode.DaemonUnavailable,
        `the process-control daemon cannot be reached: ${details}`,
      );
    case status.CANCELLED:
    case status.DEADLINE_EXCEEDED:
      return new PgctldError(PgctldErrorCode.Cancelled, details);
    default:
      return new PgctldError(
        PgctldErrorCode.DaemonFailed,
        `the process-control daemon failed: ${details}`,
      );
  }
}

function grpcCode(code: PgctldErrorCode): status {
  switch (code) {
    case PgctldErrorCode.InvalidArgument:
      return status.INVALID_ARGUMENT;
    case PgctldErrorCode.NotPermitted:
      return status.PERMISSION_DENIED;
    case PgctldErrorCode.InstallationNotFound:
    case PgctldErrorCode.DirectoryUnusable:
    case PgctldErrorCode.WrongVersion:
    case PgctldErrorCode.NotInitialized:
    case PgctldErrorCode.AlreadyRunning:
    case PgctldErrorCode.PortInUse:
    case PgctldErrorCode.NotRunning:
    case PgctldErrorCode.StillRunning:
    case PgctldErrorCode.ConfigurationRejected:
      return status.FAILED_PRECONDITION;
    case PgctldErrorCode.RewindUnavailable:
      return status.UNIMPLEMENTED;
    case PgctldErrorCode.StartTimeout:
    case PgctldErrorCode.StopTimeout:
      return status.DEADLINE_EXCEEDED;
    case PgctldErrorCode.Busy:
      return status.ABORTED;
    case PgctldErrorCode.Cancelled:
      return status.CANCELLED;
    case PgctldErrorCode.DaemonUnavailable:
      return status.UNAVAILABLE;
    case PgctldErrorCode.IoFailed:
    case PgctldErrorCode.InitdbFailed:
    case PgctldErrorCode.StartFailed:
    case PgctldErrorCode.PromotionFailed:
    case PgctldErrorCode.RecoveryFailed:
    case PgctldErrorCode.RewindFailed:
    case PgctldErrorCode.ListenFailed:
    case PgctldErrorCode.DaemonFailed:
      return status.INTERNAL;
  }
}
