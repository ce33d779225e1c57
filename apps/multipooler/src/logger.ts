import { pino } from "pino";
import type { Logger } from "pino";
import { LogOutput } from "./log-output.ts";
import type { LogOutage } from "./log-output.ts";

/** The log of the process: JSON lines on standard output. */
export interface ProgramLog extends AsyncDisposable {
  readonly logger: Logger;
  /** Set while lines cannot be written. */
  outage(): LogOutage | undefined;
}

/**
 * Opens the log. Disposing it waits up to half a second for a slow reader.
 *
 * @param complain gets one line when the log cannot be written, once per outage.
 */
export function openLog(level: string, complain: (line: string) => void): ProgramLog {
  // Node makes a pipe or socket non-blocking when this is read for the first time. Otherwise a
  // reader that stops would stop the whole process.
  const { fd } = process.stdout;
  const output = new LogOutput({
    fd,
    onOutage: (error) => complain(`the log cannot be written: ${error.message}`),
    onRecovery: (outage) => logger.error(outage, "the log could not be written for some time"),
  });
  const logger: Logger = pino(
    { level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"` },
    output,
  );
  return {
    logger,
    outage: () => output.outage,
    [Symbol.asyncDispose]: () => output.close(),
  };
}
