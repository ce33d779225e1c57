import { readFileSync } from "node:fs";
import * as yaml from "yaml";
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
  /** A YAML or JSON file whose keys are flag names. */
  readonly configFile?: string | undefined;
}

interface Found {
  readonly text: string;
  /** For the error: "--grpc-port" or "MT_CELL" or "grpc-port in multipooler.yaml". */
  readonly name: string;
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
  const problems: string[] = [];
  const file = sources.configFile === undefined ? {} : readConfigFile(sources.configFile, problems);
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(table)) {
    const found = find(setting, sources, file);
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

function find(
  setting: Setting<unknown>,
  sources: ConfigSources,
  file: Readonly<Record<string, string>>,
): Found | undefined {
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
  const inFile = file[setting.flag];
  if (inFile !== undefined) {
    return { text: inFile, name: `${setting.flag} in ${sources.configFile}` };
  }
  if (setting.defaultText !== undefined) {
    return { text: setting.defaultText, name: `--${setting.flag}` };
  }
  return undefined;
}

function readConfigFile(file: string, problems: string[]): Record<string, string> {
  let content: unknown;
  try {
    content = yaml.parse(readFileSync(file, "utf8"));
  } catch (error) {
    problems.push(`--config-file: cannot read ${file}: ${firstLine(error)}`);
    return {};
  }
  if (content === null) {
    return {};
  }
  if (typeof content !== "object" || Array.isArray(content)) {
    problems.push(`--config-file: ${file} must hold settings as "name: value"`);
    return {};
  }
  const known = new Set(Object.values<Setting<unknown>>(settings).map(({ flag }) => flag));
  const values: Record<string, string> = {};
  for (const [name, value] of Object.entries(content)) {
    if (!known.has(name)) {
      problems.push(`${name} in ${file}: there is no such setting`);
    } else if (
      typeof value === "string" ||
      typeof value === "number" ||
      typeof value === "boolean"
    ) {
      values[name] = String(value);
    } else {
      problems.push(`${name} in ${file}: must be a text or a number`);
    }
  }
  return values;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n", 1)[0] ?? "";
}
