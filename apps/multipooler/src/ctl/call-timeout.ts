import { ConfigError } from "../settings/config.ts";
import { duration } from "../settings/setting.ts";

const limit = duration({ min: 0 });

/**
 * Parses `--timeout` to milliseconds; `undefined` for 0, which waits forever.
 *
 * @throws ConfigError if it is not a duration.
 */
export function callTimeoutMs(text: string): number | undefined {
  const parsed = limit.schema.safeParse(text);
  if (!parsed.success) {
    throw new ConfigError([
      `--timeout: ${JSON.stringify(text)} ${parsed.error.issues[0]?.message ?? "is not valid"}`,
    ]);
  }
  return parsed.data === 0 ? undefined : parsed.data;
}
