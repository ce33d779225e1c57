import { closeSync, openSync } from "node:fs";
import { isatty } from "node:tty";
import { pino } from "pino";
import type { Logger } from "pino";
import { printableJson } from "@multipooler/text-table";
import { ConfigError } from "../settings/config.ts";
import { fileFault } from "../file-fault.ts";
import { LogOutput } from "./log-output.ts";
import type { LogOutage } from "./log-output.ts";
import { logText } from "./log-text.ts";
import type { Config } from "../settings/settings.ts";

/** The log of the process: a line for each event. */
export interface ProgramLog extends AsyncDisposable {
  readonly logger: Logger;
  /** Gives another lowest severity, to the logs of all components too. */
  setLevel(level: Config["logLevel"]): void;
  /** Goes on in a new file of that name, if it is a file: the one before may have been rotated. */
  reopen(): void;
  /** Set while lines cannot be written. */
  outage(): LogOutage | undefined;
}

/**
 * Opens the log. Disposing it waits up to half a second for a slow reader.
 *
 * @param complain gets one line when the log cannot be written, once per outage.
 * @throws ConfigError for a file that cannot be opened.
 */
export function openLog(
  { logLevel, logFormat, logOutput }: Pick<Config, "logLevel" | "logFormat" | "logOutput">,
  complain: (line: string) => void,
): ProgramLog {
  const { fd: first, file } = openOutput(logOutput);
  let fd = first;
  const output = new LogOutput({
    fd,
    onOutage: (error) => complain(`the log cannot be written: ${error.message}`),
    onRecovery: (outage) => logger.error(outage, "the log could not be written for some time"),
  });
  const shown = isText(logFormat, fd) ? logText : printableJson;
  // A child keeps the level that it was made with.
  const components = new Set<{ level: string }>();
  const logger: Logger = pino(
    {
      level: logLevel,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      onChild: (child) => components.add(child),
    },
    { write: (line: string) => output.write(shown(line)) },
  );
  return {
    logger,
    setLevel: (level) => {
      for (const each of [logger, ...components]) {
        each.level = level;
      }
    },
    reopen: () => {
      if (file === undefined) {
        return;
      }
      const before = fd;
      try {
        fd = openFile(file);
      } catch (err) {
        logger.error({ err }, "the log goes on in the file as it was opened");
        return;
      }
      output.redirect(fd);
      closeSync(before);
    },
    outage: () => output.outage,
    async [Symbol.asyncDispose]() {
      await output.close();
      if (file !== undefined) {
        closeSync(fd);
      }
    },
  };
}

function isText(format: Config["logFormat"], fd: number): boolean {
  return format === "text" || (format === "auto" && isatty(fd));
}

/**
 * Node makes a pipe or socket non-blocking when `process.stdout` or `stderr` is read for the first
 * time. Otherwise a reader that stops would stop the whole process.
 */
function openOutput(target: string): { readonly fd: number; readonly file: string | undefined } {
  switch (target) {
    case "stdout":
      return { fd: process.stdout.fd, file: undefined };
    case "stderr":
      return { fd: process.stderr.fd, file: undefined };
    default:
      return { fd: openFile(target), file: target };
  }
}

function openFile(path: string): number {
  try {
    return openSync(path, "a");
  } catch (error) {
    throw new ConfigError([`--log-output: ${path}: ${fileFault(error)}`], { cause: error });
  }
}
