import type { Logger } from "@multipooler/pgctld";
import { Command, InvalidArgumentError, Option } from "commander";
import { pino } from "pino";
import * as commands from "./commands.ts";
import type { CommandContext, CommandFlags, Print } from "./commands.ts";
import { controlOf } from "./control.ts";
import type { Environment } from "./control.ts";
import { runDaemon } from "./daemon.ts";
import { addDaemonFlags, addServerFlags, FLAGS_WITHOUT_EFFECT } from "./settings.ts";
import type { DaemonFlags, ServerFlags } from "./settings.ts";

/** Where the program speaks, and what it is started with. */
export interface ProgramIo {
  readonly env: Environment;
  readonly print: Print;
  readonly complain: Print;
}

/** Lines that wait for a disk that is full; more are lost. */
const MAX_WAITING_BYTES = 1_048_576;

const quiet: Logger = { info: () => undefined, warn: () => undefined };

/** Declares the commands, flags, help and defaults. */
export function commandLine(io: ProgramIo, signal: AbortSignal): Command {
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
  addDaemon(program, io, signal);
  for (const each of COMMANDS) {
    const command = addServerFlags(sub(program, each.name, each.description));
    for (const option of each.options()) {
      command.addOption(option);
    }
    command.action(async (flags: CommandFlags) => {
      const controlled = await controlOf(flags, { env: io.env, logger: quiet });
      await each.run({ ...controlled, print: io.print, signal }, flags);
    });
  }
  return program;
}

function addDaemon(program: Command, io: ProgramIo, signal: AbortSignal): void {
  const server = sub(program, "server", "Serve pgctldservice.PgCtld over gRPC.");
  addDaemonFlags(addServerFlags(server)).action(
    async (flags: ServerFlags & DaemonFlags & Record<string, unknown>) => {
      const logger = loggerOf(flags);
      for (const name of FLAGS_WITHOUT_EFFECT) {
        if (flags[camelCase(name)] !== undefined) {
          logger.warn({ flag: `--${name}` }, "this flag is without effect");
        }
      }
      const controlled = await controlOf(flags, { env: io.env, logger });
      await runDaemon({ flags, controlled, logger, signal });
    },
  );
}

/** A command that does one thing and ends. */
interface SingleCommand {
  readonly name: string;
  readonly description: string;
  readonly run: (context: CommandContext, flags: CommandFlags) => Promise<void>;
  readonly options: () => readonly Option[];
}

const COMMANDS: readonly SingleCommand[] = [
  {
    name: "init",
    description: "Make the data directory.",
    run: commands.init,
    options: () => [],
  },
  {
    name: "start",
    description: "Start PostgreSQL and wait until it is ready.",
    run: commands.start,
    options: () => [
      new Option("--as-standby", "as a standby").conflicts("asPrimary"),
      new Option("--as-primary", "as a primary, whatever it was"),
    ],
  },
  {
    name: "stop",
    description: "Stop PostgreSQL.",
    run: commands.stop,
    options: () => [stopMode()],
  },
  {
    name: "restart",
    description: "Stop PostgreSQL if it runs, and start it.",
    run: commands.restart,
    options: () => [stopMode(), new Option("--as-standby", "as a standby")],
  },
  {
    name: "reload-config",
    description: "Have PostgreSQL read its configuration again.",
    run: commands.reload,
    options: () => [],
  },
  {
    name: "status",
    description: "Print what PostgreSQL does.",
    run: commands.status,
    options: () => [new Option("--json", "as one JSON object")],
  },
  {
    name: "promote",
    description: "Make a standby a primary.",
    run: commands.promote,
    options: () => [],
  },
  {
    name: "follow",
    description: "Have the next start bring up a standby of another server.",
    run: commands.follow,
    options: source,
  },
  {
    name: "rewind",
    description: "Undo what the server did that another one did not (pg_rewind).",
    run: commands.rewind,
    options: () => [...source(), new Option("--dry-run", "only say what would be done")],
  },
  {
    name: "base-backup",
    description: "Make the data directory a copy of a running server.",
    run: commands.baseBackup,
    options: () => [
      ...source(),
      new Option("--no-sync", "do not wait until the copy is safely on disk"),
      new Option("--standby", "and have the next start bring up a standby of it"),
    ],
  },
];

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
  const output = pino.destination({ dest, sync: true, mkdir: false, maxLength: MAX_WAITING_BYTES });
  // A full disk must not end the daemon: PostgreSQL's start or rewind may be under way.
  output.on("error", () => undefined);
  return pino({ level, base: null }, output);
}

function camelCase(flag: string): string {
  return flag.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
