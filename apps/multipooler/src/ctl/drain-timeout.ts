import type { Duration } from "@multipooler/proto/duration";
import { ConfigError } from "../settings/config.ts";
import { duration } from "../settings/setting.ts";
import { durationMessage } from "./duration-message.ts";

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
  return durationMessage(parsed.data);
}
