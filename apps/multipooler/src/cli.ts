import { printable } from "@multipooler/text-table";
import { Argument, Command, Option } from "commander";
import { COMPLETION_SHELLS } from "./completion.ts";
import type { CompletionShell } from "./completion.ts";
import { addConfigCommands } from "./config-commands.ts";
import type { ConfigActions } from "./config-commands.ts";
import { addAcceptedFlags } from "./settings/accepted-flags.ts";
import { addActivityCommands } from "./ctl/activity-commands.ts";
import type { ActivityActions } from "./ctl/activity-commands.ts";
import { withClientOptions } from "./ctl/client-options.ts";
import type { ClientOptions } from "./ctl/client-options.ts";
import { withExplain } from "./ctl/explanation.ts";
import type { ExplainOptions } from "./ctl/explanation.ts";
import { addPromotionCommands } from "./ctl/promotion-commands.ts";
import type { PromotionActions } from "./ctl/promotion-commands.ts";
import { addReplicationCommands } from "./ctl/replication-commands.ts";
import type { ReplicationActions } from "./ctl/replication-commands.ts";
import { RESULT_FORMATS } from "./ctl/result-format.ts";
import type { ServingOptions } from "./ctl/serving-status.ts";
import type { StatusOptions } from "./ctl/status.ts";
import { addTopoCommands } from "./ctl/topo-commands.ts";
import type { TopoActions } from "./ctl/topo-commands.ts";
import { suggestion } from "./settings/nearest-name.ts";
import { addSettings, givenSettings } from "./settings/setting-options.ts";
import type { GivenSettings } from "./settings/setting-options.ts";
import { settings } from "./settings/settings.ts";
import { buildVersion } from "./version.ts";

/** The implementations of the commands; each resolves with the exit code. */
export interface CommandActions {
  serve(given: GivenSettings): Promise<number>;
  readonly config: ConfigActions;
  query(sql: string, options: QueryOptions): Promise<number>;
  status(options: StatusOptions): Promise<number>;
  reload(options: ClientOptions & ExplainOptions): Promise<number>;
  /** Prints the script with which a shell completes the words of `program`. */
  completion(program: Command, shell: CompletionShell): Promise<number>;
  drain(options: ServingOptions): Promise<number>;
  serveAgain(options: ServingOptions & { readonly readOnly: boolean }): Promise<number>;
  readonly activity: ActivityActions;
  readonly promotion: PromotionActions;
  readonly replication: ReplicationActions;
  readonly topo: TopoActions;
}

export interface QueryOptions extends ClientOptions {
  readonly mode: string;
  readonly user: string;
  readonly format: string;
}

/** What a command line does besides running commands. */
export interface CommandLineEffects {
  /** Sets the exit code. */
  readonly exit: (code: number) => void;
  /** Prints a help or the version. */
  readonly print: (text: string) => void;
}

/** Declares the commands, flags, help and defaults. Values of settings are checked by `resolveConfig`. */
export function commandLine(actions: CommandActions, { exit, print }: CommandLineEffects): Command {
  const program = new Command("multipooler")
    .description(
      "PostgreSQL connection pooler and lifecycle manager: one process beside each PostgreSQL.\n" +
        "Without a command it runs the pooler; `multipooler ctl` talks to one that runs.",
    )
    .version(`multipooler ${buildVersion.version}`, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .enablePositionalOptions()
    .configureHelp({ helpWidth: Math.min(process.stdout.columns ?? 100, 110) })
    .configureOutput({
      writeOut: print,
      // Every fault is one line; commander puts its suggestion on a second one.
      outputError: (text, write) => write(`${printable(faultLine(program, text))}\n`),
    })
    .exitOverride();

  addAcceptedFlags(addSettings(program, settings)).action(
    async (options: Record<string, unknown>) =>
      exit(await actions.serve(givenSettings(settings, options))),
  );

  addConfigCommands(program, actions.config, exit);
  addCompletion(program, actions, exit);
  const ctl = program
    .command("ctl")
    .description("Talk to a running pooler over gRPC, or inspect its topology.");
  addCallCommands(ctl, actions, exit);
  addServingCommands(ctl, actions, exit);
  addActivityCommands(ctl, actions.activity, exit);
  addPromotionCommands(ctl, actions.promotion, exit);
  addReplicationCommands(ctl, actions.replication, exit);
  addTopoCommands(ctl, actions.topo, exit);
  return program;
}

/** What commander has to say of a command line, as one line of ours. */
function faultLine(program: Command, text: string): string {
  return text
    .trimEnd()
    .replace(/^error: /, "multipooler: ")
    .replace("\n(", " (")
    .replace(
      /too many arguments.* Expected (\d+) arguments? but got \d+: (.*)\.$/s,
      (_, wanted: string, words: string) =>
        surplus(program, words.split(", ")[Number(wanted)] ?? words),
    );
}

/** Says what a word is that no command takes: a command that was mistyped, or a file. */
function surplus(program: Command, word: string): string {
  if (/\.(?:ya?ml|json)$/.test(word)) {
    return `unexpected argument ${JSON.stringify(word)}; a configuration file is given with --config-file`;
  }
  const ctl = program.commands.find((command) => command.name() === "ctl");
  if (ctl?.commands.some((command) => command.name() === word) === true) {
    return `unknown command ${JSON.stringify(word)}; did you mean ctl ${word}?`;
  }
  const names = program.commands.map((command) => command.name());
  return `unexpected argument ${JSON.stringify(word)}${suggestion(word, names)}`;
}

function addCompletion(
  program: Command,
  actions: Pick<CommandActions, "completion">,
  exit: (code: number) => void,
): void {
  program
    .command("completion")
    .description("Print a script with which a shell completes commands and options.")
    .addArgument(new Argument("<shell>", "which shell").choices(COMPLETION_SHELLS))
    .action(async (shell: CompletionShell) => exit(await actions.completion(program, shell)));
}

function addCallCommands(
  ctl: Command,
  actions: Pick<CommandActions, "query" | "status" | "reload">,
  exit: (code: number) => void,
): void {
  withClientOptions(ctl.command("query"))
    .description("Run SQL and print its results. Rows are printed as they arrive.")
    .argument("<sql>", 'one or more statements, or "-" to read them from standard input')
    .addOption(
      new Option(
        "--mode <mode>",
        "required freshness and writability of the database; writable needs a primary",
      )
        .choices(["unspecified", "writable", "consistent", "inconsistent"])
        .default("unspecified"),
    )
    .option("--user <role>", "role to run as; the pooler's own by default", "")
    .addOption(
      new Option("--format <format>", "how rows are printed")
        .choices(RESULT_FORMATS)
        .default("table"),
    )
    .addOption(new Option("--json", "the same as --format json").implies({ format: "json" }))
    .action(async (sql: string, options: QueryOptions) => exit(await actions.query(sql, options)));
  withClientOptions(ctl.command("status"))
    .description("Print the state of the pooler, its database and its topology record.")
    .option("--watch", "print it again at each change and interval, until Ctrl-C", false)
    .option("--interval <duration>", "with --watch: how often it is printed without a change", "2s")
    .option("--json", "print the whole answer as JSON, with --watch a line each time", false)
    .action(async (options: StatusOptions) => exit(await actions.status(options)));
  withExplain(withClientOptions(ctl.command("reload")))
    .description(
      "Have the pooler read its settings again, and print what has changed and what needs a restart.",
    )
    .option("--json", "print the whole answer as JSON", false)
    .action(async (options: ClientOptions & ExplainOptions) => exit(await actions.reload(options)));
}

function addServingCommands(
  ctl: Command,
  actions: Pick<CommandActions, "drain" | "serveAgain">,
  exit: (code: number) => void,
): void {
  withServingOptions(ctl.command("drain"))
    .description(
      "Let what runs end, close all connections to PostgreSQL and serve nothing, until `ctl serve`.",
    )
    .action(async (options: ServingOptions) => exit(await actions.drain(options)));
  withServingOptions(ctl.command("serve"))
    .description("Serve again what the pooler's type and PostgreSQL allow.")
    .option("--read-only", "serve reads only", false)
    .action(async (options: ServingOptions & { readOnly: boolean }) =>
      exit(await actions.serveAgain(options)),
    );
}

function withServingOptions(command: Command): Command {
  return withExplain(withClientOptions(command))
    .option("--reason <text>", "why, for status and log", "")
    .option("--wait", "end only when the pooler is there, at most after --timeout", false)
    .option("--json", "print the answer as JSON", false);
}
