import type { Binding } from "@multipooler/query-service";
import type { Portal } from "@multipooler/proto/query";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";

const NULL_LENGTH = -1n;

/**
 * The parameters and formats of a portal. The values are views into its bytes.
 *
 * @throws INVALID_ARGUMENT for lengths that do not divide those bytes
 */
export function portalBinding({
  paramLengths,
  paramValues,
  paramFormats,
  resultFormats,
}: Portal): Binding {
  let at = 0;
  const parameters = paramLengths.map((length, index) => {
    if (length === NULL_LENGTH) {
      return null;
    }
    const rest = paramValues.byteLength - at;
    if (length < 0n || length > rest) {
      throw invalid(
        `portal.param_lengths[${index}] is ${length}; -1 for NULL, or 0 to ${rest} are allowed`,
      );
    }
    const start = at;
    at += Number(length);
    return paramValues.subarray(start, at);
  });
  if (at !== paramValues.byteLength) {
    throw invalid(
      `portal.param_values has ${paramValues.byteLength} bytes; portal.param_lengths adds up to ${at}`,
    );
  }
  return { parameters, parameterFormats: paramFormats, resultFormats };
}

function invalid(problem: string): GrpcServicesError {
  return new GrpcServicesError(GrpcServicesErrorCode.InvalidArgument, problem);
}
