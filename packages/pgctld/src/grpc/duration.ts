import type { Duration } from "@multipooler/proto/duration";
import { invalidArgument } from "../error.ts";

const NANOSECONDS_PER_MS = 1_000_000;
const MS_PER_SECOND = 1000;

/** Milliseconds as a protobuf message. */
export function durationOf(ms: number): Duration {
  const seconds = Math.floor(ms / MS_PER_SECOND);
  const nanos = Math.floor((ms - seconds * MS_PER_SECOND) * NANOSECONDS_PER_MS);
  return { seconds: BigInt(seconds), nanos };
}

/** A protobuf message in milliseconds. @throws INVALID_ARGUMENT, naming the field, below zero */
export function millisecondsOf(field: string, duration: Duration | undefined): number | undefined {
  if (duration === undefined) {
    return undefined;
  }
  const ms = Number(duration.seconds) * MS_PER_SECOND + duration.nanos / NANOSECONDS_PER_MS;
  if (ms < 0) {
    throw invalidArgument(`${field} must not be negative`);
  }
  return ms;
}
