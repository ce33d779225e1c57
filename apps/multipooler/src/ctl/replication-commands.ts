import { Option } from "commander";
import type { Command } from "commander";
import { withClientOptions } from "./client-options.ts";
import type { ClientOptions } from "./client-options.ts";
import { withExplain } from "./explanation.ts";
import type { ExplainOptions } from "./explanation.ts";
import { termNumber, wholeNumber } from "./option-values.ts";
import { withWatch } from "./watch-options.ts";
import type { WatchOptions } from "./watch-options.ts";

/** By which right a command changes whom a server follows or waits for. */
export interface TermOptions {
  readonly term: bigint;
  /** Why the term is not to be looked at; "" where it is. */
  readonly force: string;
}

/** A command that changes something, or waits for it. */
export interface ChangeOptions extends ClientOptions, ExplainOptions {}

export interface SetPrimaryOptions extends ChangeOptions, TermOptions {
  readonly pauseBefore: boolean;
  readonly resumeAfter: boolean;
}

export interface StopOptions extends ChangeOptions {
  readonly mode: "replay" | "receiver" | "both";
  readonly wait: boolean;
}

export interface SynchronousOptions extends ChangeOptions {
  readonly commit: "off" | "local" | "remote_write" | "on" | "remote_apply";
  readonly method: "first" | "any";
  readonly count: number;
}

export interface StandbyListOptions extends ChangeOptions, TermOptions {}

/** What is done with the list of standbys that a primary waits for. */
export type StandbyListOperation = "add" | "remove" | "replace";

/** The implementations of the commands about replication; each resolves with the exit code. */
export interface ReplicationActions {
  waitLsn(lsn: string, options: ChangeOptions): Promise<number>;
  followers(options: WatchOptions): Promise<number>;
  setPrimary(primary: string, options: SetPrimaryOptions): Promise<number>;
  status(options: WatchOptions): Promise<number>;
  start(options: ChangeOptions): Promise<number>;
  stop(options: StopOptions): Promise<number>;
  reset(options: ChangeOptions): Promise<number>;
  synchronous(standbys: readonly string[], options: SynchronousOptions): Promise<number>;
  standbys(
    operation: StandbyListOperation,
    standbys: readonly string[],
    options: StandbyListOptions,
  ): Promise<number>;
}

type Exit = (code: number) => void;

/** Declares the commands about replication with their help and flags. */
export function addReplicationCommands(
  ctl: Command,
  actions: ReplicationActions,
  exit: Exit,
): void {
  change(ctl, "wait-lsn", "Wait until a standby has replayed a position, at most for --timeout.")
    .argument("<lsn>", "a position of the WAL, e.g. 16/B374D848")
    .action(async (lsn: string, options: ChangeOptions) =>
      exit(await actions.waitLsn(lsn, options)),
    );
  view(ctl, "followers", "Print who follows a primary, and for whom it waits.").action(
    async (options: WatchOptions) => exit(await actions.followers(options)),
  );
  withTerm(change(ctl, "set-primary", "Have a standby follow a primary."))
    .argument("<host:port>", "the PostgreSQL of the primary, as the standby reaches it")
    .option("--pause-before", "pause the replay before the change", false)
    .option("--resume-after", "resume the replay after it", false)
    .action(async (primary: string, options: SetPrimaryOptions) =>
      exit(await actions.setPrimary(primary, options)),
    );
  const replication = ctl
    .command("replication")
    .description("See and change what a standby or a primary does about replication.");
  addStandbyCommands(replication, actions, exit);
  addPrimaryCommands(replication, actions, exit);
}

function addStandbyCommands(replication: Command, actions: ReplicationActions, exit: Exit): void {
  const status = "Print what a standby receives and replays, or what a primary has written.";
  view(replication, "status", status, { isDefault: true }).action(async (options: WatchOptions) =>
    exit(await actions.status(options)),
  );
  change(replication, "start", "Resume the replay of a standby.").action(
    async (options: ChangeOptions) => exit(await actions.start(options)),
  );
  change(replication, "stop", "Stop what a standby does.")
    .addOption(
      new Option("--mode <mode>", "what to stop: it replays on, or receives on, or neither")
        .choices(["replay", "receiver", "both"])
        .default("replay"),
    )
    .option("--no-wait", "end at once, without waiting until it has stopped")
    .action(async (options: StopOptions) => exit(await actions.stop(options)));
  change(replication, "reset", "Have a standby follow nobody.").action(
    async (options: ChangeOptions) => exit(await actions.reset(options)),
  );
}

function addPrimaryCommands(replication: Command, actions: ReplicationActions, exit: Exit): void {
  change(
    replication,
    "synchronous",
    "Say for whom a primary waits at commit; no names: for nobody.",
  )
    .argument("[standbys...]", "poolers, as <cell>/<name>, the most wanted first")
    .addOption(
      new Option("--commit <level>", "what is waited for, as synchronous_commit")
        .choices(["off", "local", "remote_write", "on", "remote_apply"])
        .default("on"),
    )
    .addOption(
      new Option("--method <method>", "the first that are connected, or any")
        .choices(["first", "any"])
        .default("any"),
    )
    .addOption(new Option("--count <number>", "for how many").argParser(wholeNumber).default(1))
    .action(async (standbys: string[], options: SynchronousOptions) =>
      exit(await actions.synchronous(standbys, options)),
    );
  const list = replication
    .command("standbys")
    .description("Change the list of standbys that a primary waits for.");
  for (const operation of ["add", "remove", "replace"] as const) {
    const description = `${operation[0]?.toUpperCase()}${operation.slice(1)} standbys of the list.`;
    withTerm(change(list, operation, description))
      .argument("<standbys...>", "poolers, as <cell>/<name>")
      .action(async (standbys: string[], options: StandbyListOptions) =>
        exit(await actions.standbys(operation, standbys, options)),
      );
  }
}

function view(
  parent: Command,
  name: string,
  description: string,
  { isDefault = false } = {},
): Command {
  return withWatch(withClientOptions(parent.command(name, { isDefault })))
    .description(description)
    .allowExcessArguments(false);
}

function change(parent: Command, name: string, description: string): Command {
  return withExplain(withClientOptions(parent.command(name)))
    .description(description)
    .allowExcessArguments(false)
    .option("--json", "print the answer as JSON", false);
}

function withTerm(declared: Command): Command {
  return declared
    .addOption(
      new Option("--term <number>", "the term of the shard's consensus; see `ctl term`")
        .argParser(termNumber)
        .default(0n, "none"),
    )
    .option("--force <reason>", "do not look at the term, and why, for the log", "");
}
