import { Option } from "commander";
import type { Command } from "commander";
import type { CheckConfigOptions } from "./check-config.ts";
import { addAcceptedFlags } from "./settings/accepted-flags.ts";
import { addSettings, givenSettings } from "./settings/setting-options.ts";
import type { GivenSettings } from "./settings/setting-options.ts";
import { REFERENCE_FORMATS } from "./settings/settings-reference.ts";
import type { ReferenceFormat } from "./settings/settings-reference.ts";
import { settings } from "./settings/settings.ts";

/** The implementations of the commands about the configuration; each resolves with the exit code. */
export interface ConfigActions {
  check(given: GivenSettings, options: CheckConfigOptions): Promise<number>;
  describe(format: ReferenceFormat): Promise<number>;
  importPgBouncer(path: string): Promise<number>;
}

/** Adds the commands that work on the configuration alone. */
export function addConfigCommands(
  program: Command,
  actions: ConfigActions,
  exit: (code: number) => void,
): void {
  addAcceptedFlags(addSettings(program.command("check-config"), settings))
    .description(
      "Check the configuration as a start would, and print what is set and where. Exit code 2 if it is wrong.",
    )
    .option("--all", "also what is not set or has its default", false)
    .option("--json", "print it as JSON", false)
    .action(async (options: Record<string, unknown> & CheckConfigOptions) =>
      exit(await actions.check(givenSettings(settings, options), options)),
    );
  program
    .command("import-pgbouncer")
    .description(
      "Turn a PgBouncer's file into one for --config-file. What has no counterpart is listed on standard error.",
    )
    .argument("<path>", "its pgbouncer.ini")
    .action(async (path: string) => exit(await actions.importPgBouncer(path)));
  program
    .command("settings")
    .description("Describe every setting: a page, or a JSON schema for editors of the file.")
    .addOption(
      new Option("--format <format>", "how they are described")
        .choices(REFERENCE_FORMATS)
        .default("markdown"),
    )
    .action(async ({ format }: { readonly format: ReferenceFormat }) =>
      exit(await actions.describe(format)),
    );
}
