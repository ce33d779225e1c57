import { InvalidArgumentError, Option } from "commander";
import type { Command } from "commander";
import { withClientOptions } from "./client-options.ts";
import type { ClientOptions } from "./client-options.ts";
import { withExplain } from "./explanation.ts";
import type { ExplainOptions } from "./explanation.ts";
import { termNumber, wholeNumber } from "./option-values.ts";
import { parsePoolerName } from "./pooler-name.ts";
import type { PoolerName } from "./pooler-name.ts";

export interface TermOptions extends ClientOptions, ExplainOptions {
  /** The term to set; `undefined`: only print what there is. */
  readonly set?: bigint;
  /** Who leads it. */
  readonly leader?: PoolerName;
  /** Why it is to be set as it is given, a lower one too; "" where it is not. */
  readonly force: string;
}

export interface RoleOptions extends ClientOptions, ExplainOptions {}

/** By which right a role is changed. */
export interface ClaimOptions extends RoleOptions {
  /** `undefined`: the one that the pooler has. */
  readonly term?: bigint;
  /** Why neither term nor state are to be looked at; "" where they are. */
  readonly force: string;
}

export interface PromoteOptions extends ClaimOptions {
  readonly lsn: string;
  /** For whom the new primary waits; `undefined`: for whom PostgreSQL is configured to. */
  readonly standby?: readonly PoolerName[];
  readonly count: number;
}

export interface DemoteOptions extends ClaimOptions {
  /** A duration as text. */
  readonly drainTimeout: string;
}

export interface SwitchoverOptions extends RoleOptions {
  /** gRPC address of the pooler that is the primary. */
  readonly from: string;
  /** gRPC address of the one that is to be. */
  readonly to: string;
  /** PostgreSQL of the new primary, as the others reach it. */
  readonly toPostgres?: string;
  /** gRPC addresses of further standbys that are to follow the new primary. */
  readonly follower: readonly string[];
  /** `undefined`: one more than the two poolers know of. */
  readonly term?: bigint;
  /** A duration as text. */
  readonly drainTimeout: string;
}

/** The implementations of the commands about terms and roles; each resolves with the exit code. */
export interface PromotionActions {
  term(options: TermOptions): Promise<number>;
  promote(options: PromoteOptions): Promise<number>;
  demote(options: DemoteOptions): Promise<number>;
  undoDemote(options: RoleOptions): Promise<number>;
  changeType(type: string, options: RoleOptions): Promise<number>;
  switchover(options: SwitchoverOptions): Promise<number>;
}

type Exit = (code: number) => void;

/** Declares the commands about terms and roles with their help and flags. */
export function addPromotionCommands(ctl: Command, actions: PromotionActions, exit: Exit): void {
  role(ctl, "term", "Print the term that the pooler has promised to coordinators, or set it.")
    .addOption(
      new Option("--set <number>", "set the term; a lower one needs --force").argParser(termNumber),
    )
    .addOption(
      new Option(
        "--leader <cell/name>",
        "with --set: the pooler that leads it; if this is left out nobody does, except that a primary leads its first term",
      ).argParser(poolerName),
    )
    .option(
      "--force <reason>",
      "with --set: take the term as it is given, whatever is known, and why, for the log",
      "",
    )
    .action(async (options: TermOptions) => exit(await actions.term(options)));
  addRoleCommands(ctl, actions, exit);
  addSwitchover(ctl, actions, exit);
}

function addRoleCommands(ctl: Command, actions: PromotionActions, exit: Exit): void {
  withClaim(role(ctl, "promote", "Make a primary of a standby. May be repeated after a failure."))
    .option("--lsn <lsn>", "the position that it must have replayed, no more and no less", "")
    .addOption(
      new Option(
        "--standby <cell/name>",
        "a standby that commits wait for; several times for several. If left out, PostgreSQL's configuration holds",
      ).argParser((text, before: readonly PoolerName[] | undefined) => [
        ...(before ?? []),
        poolerName(text),
      ]),
    )
    .addOption(
      new Option("--count <number>", "for how many of them").argParser(wholeNumber).default(1),
    )
    .action(async (options: PromoteOptions) => exit(await actions.promote(options)));
  withClaim(role(ctl, "demote", "Make a standby of a primary. May be repeated after a failure."))
    .option("--drain-timeout <duration>", "how long running work may take to end", "5s")
    .action(async (options: DemoteOptions) => exit(await actions.demote(options)));
  role(ctl, "undo-demote", "Make a primary again of a server that was just demoted.").action(
    async (options: RoleOptions) => exit(await actions.undoDemote(options)),
  );
  role(ctl, "change-type", "Name another type in the pooler's record, and change nothing else.")
    .argument("<type>", "primary or replica")
    .action(async (type: string, options: RoleOptions) =>
      exit(await actions.changeType(type, options)),
    );
}

function addSwitchover(ctl: Command, actions: PromotionActions, exit: Exit): void {
  role(
    ctl,
    "switchover",
    "Have a standby take the place of the primary, which follows it from then on.",
  )
    .requiredOption("--from <host:port>", "gRPC address of the pooler of the primary")
    .requiredOption("--to <host:port>", "gRPC address of the pooler of the standby")
    .option(
      "--to-postgres <host:port>",
      "PostgreSQL of the new primary, as the others reach it; what its pooler says if left out",
    )
    .option(
      "--follower <host:port>",
      "gRPC address of a further standby, which is to follow too; several times for several",
      (text: string, before: readonly string[]) => [...before, text],
      [],
    )
    .addOption(
      new Option(
        "--term <number>",
        "the term of the new primary; the next one if left out",
      ).argParser(termNumber),
    )
    .option("--drain-timeout <duration>", "how long running work may take to end", "5s")
    .action(async (options: SwitchoverOptions) => exit(await actions.switchover(options)));
}

function role(ctl: Command, name: string, description: string): Command {
  return withExplain(withClientOptions(ctl.command(name)))
    .description(description)
    .allowExcessArguments(false)
    .option("--json", "print the answer as JSON", false);
}

function withClaim(verb: Command): Command {
  return verb
    .addOption(
      new Option(
        "--term <number>",
        "the term of whoever asks; the pooler's own if left out",
      ).argParser(termNumber),
    )
    .option("--force <reason>", "do not look at term and state, and why, for the log", "");
}

function poolerName(text: string): PoolerName {
  const name = parsePoolerName(text);
  if (name === undefined) {
    throw new InvalidArgumentError("It must be <cell>/<name>.");
  }
  return name;
}
