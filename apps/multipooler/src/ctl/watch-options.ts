import type { Command } from "commander";
import type { ClientOptions } from "./client-options.ts";

/** Of a command that shows what changes by itself. */
export interface WatchOptions extends ClientOptions {
  readonly json: boolean;
  readonly watch: boolean;
  /** A duration as text. */
  readonly interval: string;
}

export function withWatch(command: Command): Command {
  return withInterval(command)
    .option("--watch", "print it again and again, until Ctrl-C", false)
    .option("--json", "print it as JSON, with --watch a line each time", false);
}

export function withInterval(command: Command): Command {
  return command.option("--interval <duration>", "how often it is renewed", "2s");
}
