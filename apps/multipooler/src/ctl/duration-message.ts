import type { Duration } from "@multipooler/proto/duration";

/** A time in whole milliseconds as protobuf has it. */
export function durationMessage(ms: number): Duration {
  return { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 };
}
