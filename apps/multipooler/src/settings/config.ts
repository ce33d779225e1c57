import { acceptedFlags } from "./accepted-flags.ts";
import { readConfigFile } from "./config-file.ts";
import type { ConfigFilePlace, FileSettings } from "./config-file.ts";
import { settings } from "./settings.ts";
import type { Config } from "./settings.ts";
import type { Setting, SettingTable, SettingValues } from "./setting.ts";

/** The configuration is wrong; `problems` has one line for each setting. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(problems.join("\n"), options);
    this.problems = problems;
  }
}

export interface ConfigSources {
  /** Values by flag name without leading dashes; only those that were given. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What {@link readSettingsFile} read. */
  readonly file: FileSettings;
}

interface Found {
  readonly text: string;
  /** For the error: "--grpc-port" or "MT_CELL" or "grpc-port in multipooler.yaml". */
  readonly name: string;
}

/** Reads a YAML or JSON file whose keys are the flags of the program, those without meaning too. */
export function readSettingsFile(place: ConfigFilePlace): FileSettings {
  const flags = Object.values<Setting<unknown>>(settings).map(({ flag }) => flag);
  return readConfigFile(place, new Set([...flags, ...acceptedFlags]));
}

/** Resolves all settings of the program; see {@link resolveSettings}. */
export function resolveConfig(sources: ConfigSources): Config {
  return resolveSettings(settings, sources);
}

/**
 * Resolves the settings of a table. A flag overrides the environment, the environment the file, the
 * file the default. An empty environment variable counts as not set.
 *
 * Unknown environment variables that start with MULTIPOOLER_ are ignored: Kubernetes sets some for
 * a service of that name.
 *
 * @throws ConfigError naming every bad or unknown setting, its value and the allowed values.
 */
export function resolveSettings<T extends SettingTable>(
  table: T,
  sources: ConfigSources,
): SettingValues<T> {
  const problems: string[] = [...sources.file.problems];
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(table)) {
    const found = find(setting, sources);
    if (found === undefined) {
      values[key] = undefined;
      continue;
    }
    const parsed = setting.schema.safeParse(found.text);
    if (parsed.success) {
      values[key] = parsed.data;
    } else {
      const shown = setting.secret ? "the value given" : JSON.stringify(found.text);
      problems.push(`${found.name}: ${shown} ${parsed.error.issues[0]?.message ?? "is not valid"}`);
    }
  }
  if (!isComplete(table, values, problems)) {
    throw new ConfigError(problems);
  }
  return values;
}

/** True if every setting of the table was read without a problem, so that `values` has its type. */
function isComplete<T extends SettingTable>(
  table: T,
  values: object,
  problems: readonly string[],
): values is SettingValues<T> {
  return problems.length === 0 && Object.keys(table).every((key) => Object.hasOwn(values, key));
}

function find(setting: Setting<unknown>, sources: ConfigSources): Found | undefined {
  const flag = sources.flags[setting.flag];
  if (flag !== undefined) {
    return { text: flag, name: `--${setting.flag}` };
  }
  for (const name of setting.env) {
    const value = sources.env[name];
    if (value !== undefined && value !== "") {
      return { text: value, name };
    }
  }
  const { values, path } = sources.file;
  const inFile = values[setting.flag];
  if (inFile !== undefined) {
    return { text: inFile, name: `${setting.flag} in ${path}` };
  }
  if (setting.defaultText !== undefined) {
    return { text: setting.defaultText, name: `--${setting.flag}` };
  }
  return undefined;
}
