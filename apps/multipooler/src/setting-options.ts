import { Option } from "commander";
import type { Command } from "commander";
import type { ConfigSources } from "./config.ts";
import type { Setting, SettingTable } from "./setting.ts";

/** What the command line says of settings, unchecked. */
export type GivenSettings = Pick<ConfigSources, "flags" | "configFile">;

/** Gives a command a flag for each setting of a table, and one for the file with settings. */
export function addSettings(command: Command, table: SettingTable): Command {
  command.addOption(
    new Option(
      "--config-file <path>",
      "YAML or JSON file with settings by their flag name. (env: MULTIPOOLER_CONFIG_FILE)",
    ).helpGroup("Configuration (flags win over environment, that over the file):"),
  );
  for (const setting of Object.values(table)) {
    command.addOption(optionOf(setting));
  }
  return command;
}

/** Takes the settings of a table out of the options that a command was called with. */
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

/** As commander derives an option's name from its flag. */
function camelCase(flag: string): string {
  return flag.replaceAll(/-([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
}
