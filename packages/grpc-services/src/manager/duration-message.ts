import type { Duration } from "@multipooler/proto/duration";

/** A time in milliseconds as protobuf has it. */
export function durationMessage(ms: number): Duration {
  const whole = Math.floor(ms / 1000);
  return { seconds: BigInt(whole), nanos: Math.floor((ms - whole * 1000) * 1_000_000) };
}
