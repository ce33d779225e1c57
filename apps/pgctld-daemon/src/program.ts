import { BaseBackupError } from "@multipooler/base-backup";
import { PgctldError } from "@multipooler/pgctld";
import type { Logger } from "@multipooler/pgctld";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { pino } from "pino";
import * as commands from "./commands.ts";
import type { CommandContext, Print } from "./commands.ts";
import { controlOf } from "./control.ts";
import type { Environment } from "./control.ts";
import { runDaemon } from "./daemon.ts";
import { addDaemonFlags, addServerFlags, FLAGS_WITHOUT_EFFECT } from "./settings.ts";
import type { DaemonFlags, ServerFlags } from "./settings.ts";

/** Exit code for a wrong command line or setting; shells use the same. */
const EXIT_USAGE = 2;

/** Where the program speaks, and what it is started with. */
export interface ProgramIo {
  readonly env: Environment;
  readonly print: Print;
  readonly complain: Print;
}

/** Runs the command of a command line. Resolves with the exit code: 1 after a fault, 2 for wrong use. */
export async function runProgram(args: readonly string[], io: ProgramIo): Promise<number> {
  const abort = new AbortController();
  const stop = (): void => abort.abort(new Error("it was told to end"));
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  try {
    await commandLine(io, abort.signal).parseAsync([...args], { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? 0 : EXIT_USAGE;
    }
    if (error instanceof PgctldError || error instanceof BaseBackupError) {
      io.complain(error.message);
      return error.code === "INVALID_ARGUMENT" ? EXIT_USAGE : 1;
    }
    throw error;
  } finally {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  }
}

const QUIET: Logger = { info: () => undefined, warn: () => undefined };

function commandLine(io: ProgramIo, signal: AbortSignal): Command {
  const program = new Command("pgctld")
    .description(
      "Controls the PostgreSQL server of this machine: as a daemon with `pgctld server`, or by one\n" +
        "command. PostgreSQL is independent of both: it goes on when they end.\n" +
        "Each flag can be set by the environment: --pg-port is MULTIPOOLER_PG_PORT.",
    )
    .configureOutput({
      // Every fault is one line.
      outputError: (text) =>
        io.complain(
          text
            .replace(/^error: /, "")
            .replaceAll(/\s*\n\s*/g, " ")
            .trim(),
        ),
      writeOut: (text) => io.print(text.trimEnd()),
    })
    .exitOverride();

  addDaemonFlags(
    addServerFlags(sub(program, "server", "Serve pgctldservice.PgCtld over gRPC.")),
  ).action(async (flags: ServerFlags & DaemonFlags & Record<string, unknown>) => {
    const logger = loggerOf(flags);
    for (const name of FLAGS_WITHOUT_EFFECT.filter(
      (each) => flags[camelCase(each)] !== undefined,
    )) {
      logger.warn({ flag: `--${name}` }, "this flag is without effect");
    }
    const controlled = await controlOf(flags, { env: io.env, logger });
    await runDaemon({ flags, controlled, logger, signal });
  });

  const add = <Flags>(
    [name, description]: readonly [string, string],
    run: (context: CommandContext, flags: Flags) => Promise<void>,
    options: readonly Option[] = [],
  ): void => {
    const command = addServerFlags(sub(program, name, description));
    for (const option of options) {
      command.addOption(option);
    }
    command.action(async (flags: Flags & ServerFlags) => {
      const controlled = await controlOf(flags, { env: io.env, logger: QUIET });
      await run({ ...controlled, print: io.print, signal }, flags);
    });
  };
  add(["init", "Make the data directory."], commands.init);
  add(["start", "Start PostgreSQL and wait until it is ready."], commands.start, [
    new Option("--as-standby", "as a standby").conflicts("asPrimary"),
    new Option("--as-primary", "as a primary, whatever it was"),
  ]);
  add(["stop", "Stop PostgreSQL."], commands.stop, [stopMode()]);
  add(["restart", "Stop PostgreSQL if it runs, and start it."], commands.restart, [
    stopMode(),
    new Option("--as-standby", "as a standby"),
  ]);
  add(["reload-config", "Have PostgreSQL read its configuration again."], commands.reload);
  add(["status", "Print what PostgreSQL does."], commands.status, [
    new Option("--json", "as one JSON object"),
  ]);
  add(["promote", "Make a standby a primary."], commands.promote);
  add(
    ["follow", "Have the next start bring up a standby of another server."],
    commands.follow,
    source(),
  );
  add(
    ["rewind", "Undo what the server did that another one did not (pg_rewind)."],
    commands.rewind,
    [...source(), new Option("--dry-run", "only say what would be done")],
  );
  add(["base-backup", "Make the data directory a copy of a running server."], commands.baseBackup, [
    ...source(),
    new Option("--no-sync", "do not wait until the copy is safely on disk"),
    new Option("--standby", "and have the next start bring up a standby of it"),
  ]);
  return program;
}

function sub(program: Command, name: string, description: string): Command {
  return program.command(name).description(description).allowExcessArguments(false);
}

function stopMode(): Option {
  return new Option(
    "--mode <mode>",
    "fast becomes immediate after --timeout; smart waits for sessions",
  )
    .choices(["smart", "fast", "immediate"])
    .default("fast");
}

function source(): readonly Option[] {
  return [
    new Option("--source-host <host>", "the other server").makeOptionMandatory(),
    new Option("--source-port <port>", "its port").argParser(sourcePort).default(5432),
    new Option("--application-name <name>", "how the standby is called by its primary"),
  ];
}

function sourcePort(text: string): number {
  const port = Number(text);
  if (!Number.isSafeInteger(port) || port < 1 || port > 65_535) {
    throw new InvalidArgumentError("It must be a port from 1 to 65535.");
  }
  return port;
}

function loggerOf({ logLevel: level, logOutput }: DaemonFlags): Logger {
  const streams = { stdout: 1, stderr: 2 } as const;
  const dest = logOutput === "stdout" || logOutput === "stderr" ? streams[logOutput] : logOutput;
  return pino({ level, base: null }, pino.destination({ dest, sync: true, mkdir: false }));
}

function camelCase(flag: string): string {
  return flag.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
