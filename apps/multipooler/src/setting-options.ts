import { Option } from "commander";
import type { Command } from "commander";
import type { ConfigSources } from "./config.ts";
import type { Setting, SettingTable } from "./setting.ts";

/** Settings from the command line, not yet validated. */
export type GivenSettings = Pick<ConfigSources, "flags" | "configFile">;

/** Adds a flag for each setting of a table to a command, and `--config-file`. */
export function addSettings(command: Command, table: SettingTable): Command {
  command.addOption(
    new Option(
      "--config-file <path>",
      "YAML or JSON file with settings by their flag name. (env: MULTIPOOLER_CONFIG_FILE)",
    ).helpGroup("Configuration (flags override the environment, that overrides the file):"),
  );
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
    configFile: given("config-file") ?? process.env["MULTIPOOLER_CONFIG_FILE"],
  };
}

function optionOf(setting: Setting<unknown>): Option {
  const notes = [
    setting.defaultText === undefined ? undefined : `default: ${setting.defaultText}`,
    `env: ${setting.env.join(", ")}`,
  ].filter((note) => note !== undefined);
  return new Option(
    `--${setting.flag} <${setting.placeholder}>`,
    `${setting.help} (${notes.join("; ")})`,
  ).helpGroup(`${setting.group}:`);
}

/** Derives an option's name from its flag as commander does. */
function camelCase(flag: string): string {
  return flag.replaceAll(/-([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
}
