import type { FileSettings } from "./config-file.ts";
import type { Setting } from "./setting.ts";
import { isOfKubernetes } from "./environment.ts";

/** Where the values of settings come from, the strongest first. */
export interface ConfigSources {
  /** Values by flag name without leading dashes; only those that were given. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What `readSettingsFile` read. */
  readonly file: FileSettings;
}

export type SourceType = "flag" | "environment" | "file" | "default";

/** A value that was found for a setting, not yet validated. */
export interface Found {
  readonly text: string;
  readonly source: SourceType;
  /** For people: "--grpc-port", "MT_CELL" or "grpc-port in multipooler.yaml". */
  readonly name: string;
}

/**
 * The value of a setting, as text: a flag overrides the environment, the environment the file, the
 * file the default. An empty environment variable counts as not set.
 */
export function findValue(setting: Setting<unknown>, sources: ConfigSources): Found | undefined {
  const flag = sources.flags[setting.flag];
  if (flag !== undefined) {
    return { text: flag, source: "flag", name: `--${setting.flag}` };
  }
  for (const name of setting.env) {
    const text = sources.env[name];
    if (text !== undefined && text !== "" && !isOfKubernetes(name, text)) {
      return { text, source: "environment", name };
    }
  }
  const { values, path } = sources.file;
  const inFile = values[setting.flag];
  if (inFile !== undefined) {
    return { text: inFile, source: "file", name: `${setting.flag} in ${path}` };
  }
  if (setting.defaultText !== undefined) {
    return { text: setting.defaultText, source: "default", name: `--${setting.flag}` };
  }
  return undefined;
}
