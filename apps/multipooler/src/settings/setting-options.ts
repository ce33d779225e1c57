import { Option } from "commander";
import type { Command } from "commander";
import { acceptedFlags } from "./accepted-flags.ts";
import type { ConfigFilePlace } from "./config-file.ts";
import type { ConfigSources } from "./setting-source.ts";
import type { Setting, SettingTable } from "./setting.ts";

/** Settings from the command line, not yet validated. */
export interface GivenSettings extends Pick<ConfigSources, "flags"> {
  readonly configFile: ConfigFilePlace;
  /** The flags among them that are accepted and mean nothing. */
  readonly accepted: readonly string[];
}

const CONFIGURATION = "Configuration (flags override the environment, that overrides the file):";

/** Adds a flag for each setting of a table to a command, and `--config-file`. */
export function addSettings(command: Command, table: SettingTable): Command {
  const configFile = [
    new Option(
      "--config-file <path>",
      "YAML or JSON file with settings by their flag name. (env: MULTIPOOLER_CONFIG_FILE)",
    ),
    new Option(
      "--config-name <name>",
      "Name of that file without .yaml, .yml or .json, to be looked for; --config-file overrides it.",
    ),
    new Option(
      "--config-path <list>",
      "Directories to look for it in. (default: the working directory)",
    ).argParser(joined),
    new Option("--config-type <yaml|json>", "Its format; both are read alike."),
    new Option(
      "--config-file-not-found-handling <error|warn|ignore>",
      "What it means that it does not exist. (default: error)",
    ),
  ];
  for (const option of configFile) {
    command.addOption(option.helpGroup(CONFIGURATION));
  }
  for (const setting of Object.values(table)) {
    command.addOption(optionOf(setting));
  }
  return command;
}

/** Picks the settings of a table from a command's options. */
export function givenSettings(
  table: SettingTable,
  options: Readonly<Record<string, unknown>>,
): GivenSettings {
  const given = (flag: string): string | undefined => {
    const value = options[camelCase(flag)];
    return typeof value === "string" ? value : undefined;
  };
  return {
    flags: Object.fromEntries(Object.values(table).map(({ flag }) => [flag, given(flag)])),
    configFile: {
      path: given("config-file") ?? process.env["MULTIPOOLER_CONFIG_FILE"],
      name: given("config-name"),
      directories: given("config-path"),
      type: given("config-type"),
      whenMissing: given("config-file-not-found-handling"),
    },
    accepted: acceptedFlags.filter((flag) => options[camelCase(flag)] !== undefined),
  };
}

function optionOf(setting: Setting<unknown>): Option {
  const notes = [
    setting.defaultText === undefined ? undefined : `default: ${setting.defaultText}`,
    `env: ${setting.env.join(", ")}`,
  ].filter((note) => note !== undefined);
  const { bareText, placeholder } = setting;
  const value = bareText === undefined ? `<${placeholder}>` : `[${placeholder}]`;
  const option = new Option(
    `--${setting.flag} ${value}`,
    `${setting.help} (${notes.join("; ")})`,
  ).helpGroup(`${setting.group}:`);
  if (bareText !== undefined) {
    return option.preset(bareText);
  }
  return setting.isList ? option.argParser(joined) : option;
}

function joined(value: string, before: string | undefined): string {
  return before === undefined ? value : `${before},${value}`;
}

/** Derives an option's name from its flag as commander does. */
function camelCase(flag: string): string {
  return flag.replaceAll(/-([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
}
