import {
  encodeDiagnostic,
  encodePoolerError,
  MalformedMessageError,
} from "@multipooler/query-service";
import { isPoolerError, Refusal } from "../login/refusal.ts";

/** The ErrorResponse for what a command failed with, or for what is no message. */
export function errorOf(error: unknown, severity: "ERROR" | "FATAL"): Uint8Array {
  if (error instanceof Refusal) {
    return encodeDiagnostic({ ...error.diagnostic, severity });
  }
  if (error instanceof MalformedMessageError) {
    const refusal = new Refusal("08P01", "invalid message format");
    return encodeDiagnostic({ ...refusal.diagnostic, severity });
  }
  if (isPoolerError(error)) {
    return encodePoolerError(error, severity);
  }
  const reason = error instanceof Error ? error.message : String(error);
  return encodeDiagnostic({ ...new Refusal("XX000", reason).diagnostic, severity });
}
