import { acceptedFlags } from "./accepted-flags.ts";
import { readConfigFile } from "./config-file.ts";
import type { ConfigFilePlace, FileSettings } from "./config-file.ts";
import { settings } from "./settings.ts";
import type { Config } from "./settings.ts";
import { foreignVariables, mistypedVariables } from "./environment.ts";
import { ignoredVariables, refusedVariables } from "./libpq-parameters.ts";
import { readService } from "./service-file.ts";
import { findValue } from "./setting-source.ts";
import type { ConfigSources } from "./setting-source.ts";
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

/** Reads a YAML or JSON file whose keys are the flags of the program, those without meaning too. */
export function readSettingsFile(place: ConfigFilePlace): FileSettings {
  const all = Object.values<Setting<unknown>>(settings);
  return readConfigFile(place, {
    known: new Set([...all.map(({ flag }) => flag), ...acceptedFlags]),
    lists: new Set(all.filter(({ isList }) => isList).map(({ flag }) => flag)),
  });
}

/** The sources with the service of libpq that they name, if there is one. */
export function withService(sources: ConfigSources): ConfigSources {
  const name = findValue(settings.pgService, sources)?.text;
  if (name === undefined) {
    return sources;
  }
  const all = Object.values<Setting<unknown>>(settings);
  const known = new Set(all.flatMap(({ libpq }) => libpq?.keyword ?? []));
  const file = findValue(settings.pgServiceFile, sources)?.text;
  return { ...sources, service: readService({ name, file, env: sources.env, known }) };
}

/** Resolves all settings of the program; see {@link resolveSettings}. */
export function resolveConfig(sources: ConfigSources): Config {
  const problems = [...refusedVariables(sources.env), ...(sources.service?.problems ?? [])];
  return resolveSettings(settings, sources, problems);
}

/** A line for each variable and each parameter of the service that is given and means nothing here. */
export function ignoredGivens({ env, service }: ConfigSources): readonly string[] {
  return [
    ...ignoredVariables(env),
    ...(service?.ignored ?? []),
    ...foreignVariables(settings, env),
  ];
}

/**
 * Resolves the settings of a table, each from the strongest of its sources. `further` problems are
 * reported with those that are found.
 *
 * @throws ConfigError naming every bad or unknown setting, its value and the allowed values.
 */
export function resolveSettings<T extends SettingTable>(
  table: T,
  sources: ConfigSources,
  further: readonly string[] = [],
): SettingValues<T> {
  const problems: string[] = [
    ...sources.file.problems,
    ...mistypedVariables(settings, sources.env),
    ...further,
  ];
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(table)) {
    const found = findValue(setting, sources);
    if (found === undefined) {
      values[key] = undefined;
      continue;
    }
    const parsed = setting.schema.safeParse(found.text);
    if (parsed.success) {
      values[key] = parsed.data;
    } else {
      const shown = setting.secret ? "the value given" : JSON.stringify(found.text);
      const where = found.line === undefined ? found.name : `${found.name}:${found.line}`;
      problems.push(`${where}: ${shown} ${parsed.error.issues[0]?.message ?? "is not valid"}`);
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
