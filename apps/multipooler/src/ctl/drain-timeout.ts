import type { Duration } from "@multipooler/proto/duration";
import { ConfigError } from "../settings/config.ts";
import { duration } from "../settings/setting.ts";

const limit = duration({ min: 0, max: 3_600_000 });

/**
 * Parses `--drain-timeout`.
 *
 * @throws ConfigError if it is not a duration.
 */
export function drainTimeout(text: string): Duration {
  const parsed = limit.schema.safeParse(text);
  if (!parsed.success) {
    const why = parsed.error.issues[0]?.message ?? "is not valid";
    throw new ConfigError([`--drain-timeout: ${JSON.stringify(text)} ${why}`]);
  }
  const seconds = Math.floor(parsed.data / 1000);
  return { seconds: BigInt(seconds), nanos: (parsed.data - seconds * 1000) * 1_000_000 };
}
