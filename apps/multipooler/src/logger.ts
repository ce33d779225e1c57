import { destination, pino } from "pino";
import type { Logger } from "pino";

/**
 * The process' logger: JSON lines on standard output. Written synchronously, so that the last
 * lines before an exit are not lost; nothing on the query path logs.
 */
export function createLogger(level: string): Logger {
  return pino(
    { level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"` },
    destination({ dest: 1, sync: true }),
  );
}
