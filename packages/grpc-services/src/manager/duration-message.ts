import type { Duration } from "@multipooler/proto/duration";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";

/** A time in milliseconds as protobuf has it. */
export function durationMessage(ms: number): Duration {
  const whole = Math.floor(ms / 1000);
  return { seconds: BigInt(whole), nanos: Math.floor((ms - whole * 1000) * 1_000_000) };
}

/**
 * A time of a request in milliseconds.
 *
 * @throws INVALID_ARGUMENT, naming the field, for a negative one
 */
export function durationMs(field: string, duration: Duration): number {
  const ms = Number(duration.seconds) * 1000 + duration.nanos / 1_000_000;
  if (ms < 0) {
    throw new GrpcServicesError(
      GrpcServicesErrorCode.InvalidArgument,
      `${field} is ${ms} ms; it must not be negative`,
    );
  }
  return ms;
}
