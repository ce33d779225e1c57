import type { FileSettings } from "./config-file.ts";
import type { LibpqService } from "./service-file.ts";
import type { Setting } from "./setting.ts";
import { isOfKubernetes } from "./environment.ts";

/** Where the values of settings come from, the strongest first. */
export interface ConfigSources {
  /** Values by flag name without leading dashes; only those that were given. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What `readSettingsFile` read. */
  readonly file: FileSettings;
  /** That of libpq which PGSERVICE or --pg-service names. Default: none. */
  readonly service?: LibpqService | undefined;
}

export type SourceType = "flag" | "environment" | "service" | "file" | "default";

/** A value that was found for a setting, not yet validated. */
export interface Found {
  readonly text: string;
  readonly source: SourceType;
  /** For people: "--grpc-port", "MT_CELL" or "grpc-port in multipooler.yaml". */
  readonly name: string;
  /** In which line of the file it is. */
  readonly line?: number | undefined;
}

/**
 * The value of a setting, as text: a flag overrides the environment, the environment the file, the
 * file the default. A service of libpq overrides its other variables, as there, and no variable of
 * our own. An empty environment variable counts as not set.
 */
export function findValue(setting: Setting<unknown>, sources: ConfigSources): Found | undefined {
  const flag = sources.flags[setting.flag];
  if (flag !== undefined) {
    return { text: flag, source: "flag", name: `--${setting.flag}` };
  }
  const environment = ownVariable(setting, sources) ?? ofLibpq(setting, sources);
  if (environment !== undefined) {
    return environment;
  }
  const { values, lines, path } = sources.file;
  const inFile = values[setting.flag];
  if (inFile !== undefined) {
    const name = `${setting.flag} in ${path}`;
    return { text: inFile, source: "file", name, line: lines.get(setting.flag) };
  }
  if (setting.defaultText !== undefined) {
    return { text: setting.defaultText, source: "default", name: `--${setting.flag}` };
  }
  return undefined;
}

function ownVariable({ env, libpq }: Setting<unknown>, sources: ConfigSources): Found | undefined {
  for (const name of env) {
    const text = sources.env[name] ?? "";
    if (text !== "" && name !== libpq?.variable && !isOfKubernetes(name, text)) {
      return { text, source: "environment", name };
    }
  }
  return undefined;
}

function ofLibpq({ libpq }: Setting<unknown>, { env, service }: ConfigSources): Found | undefined {
  if (libpq === undefined) {
    return undefined;
  }
  const { keyword, variable, text = (value: string) => value } = libpq;
  const inService = service?.values[keyword];
  if (service !== undefined && inService !== undefined) {
    return { text: text(inService), source: "service", name: `${keyword} of ${service.place}` };
  }
  const value = env[variable] ?? "";
  return value === "" ? undefined : { text: text(value), source: "environment", name: variable };
}
