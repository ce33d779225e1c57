import { InvalidArgumentError, Option } from "commander";
import type { Command } from "commander";
import { withClientOptions } from "./client-options.ts";
import type { ClientOptions } from "./client-options.ts";

/** A pooler by its cell and its name there. */
interface PoolerName {
  readonly cell: string;
  readonly name: string;
}

export interface TermOptions extends ClientOptions {
  readonly json: boolean;
  /** The term to set; `undefined`: only print what there is. */
  readonly set?: bigint;
  /** Who leads it. */
  readonly leader?: PoolerName;
}

/** The implementations of the commands about terms and roles; each resolves with the exit code. */
export interface PromotionActions {
  term(options: TermOptions): Promise<number>;
}

/** Declares the commands about terms and roles with their help and flags. */
export function addPromotionCommands(
  ctl: Command,
  actions: PromotionActions,
  exit: (code: number) => void,
): void {
  command(ctl, "term", "Print the term that the pooler has promised to coordinators, or set it.")
    .addOption(new Option("--set <number>", "set the term, lower ones too").argParser(termNumber))
    .addOption(
      new Option(
        "--leader <cell/name>",
        "with --set: the pooler that leads it; a primary leads it itself if this is left out",
      ).argParser(poolerName),
    )
    .action(async (options: TermOptions) => exit(await actions.term(options)));
}

function command(ctl: Command, name: string, description: string): Command {
  return withClientOptions(ctl.command(name))
    .description(description)
    .allowExcessArguments(false)
    .option("--json", "print the answer as JSON", false);
}

function termNumber(text: string): bigint {
  if (!/^[0-9]{1,18}$/.test(text)) {
    throw new InvalidArgumentError("It must be a whole number from 0.");
  }
  return BigInt(text);
}

function poolerName(text: string): PoolerName {
  const [cell, name, ...rest] = text.split("/");
  if (!cell || !name || rest.length > 0) {
    throw new InvalidArgumentError("It must be <cell>/<name>.");
  }
  return { cell, name };
}
