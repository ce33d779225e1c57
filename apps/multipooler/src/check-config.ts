import { systemClock } from "@multipooler/timing";
import { printable, tableText } from "@multipooler/text-table";
import { advertisedHost } from "./advertised-host.ts";
import { jsonText } from "./ctl/output.ts";
import type { Output } from "./ctl/output.ts";
import { checkDirectories, directoriesOf } from "./directories.ts";
import { preflight } from "./preflight.ts";
import { ignoredGivens, resolveConfig } from "./settings/config.ts";
import { effectiveSettings } from "./settings/effective-settings.ts";
import type { EffectiveSetting } from "./settings/effective-settings.ts";
import type { ConfigSources } from "./settings/setting-source.ts";
import { settings } from "./settings/settings.ts";

export interface CheckConfigOptions {
  /** Also the settings that have their default or are not set. */
  readonly all: boolean;
  readonly json: boolean;
}

export interface CheckConfigIo {
  readonly output: Output;
  /** Prints one line for people to standard error. */
  readonly complain: (line: string) => void;
}

const NO_LOG = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/**
 * Checks the configuration as a start would, without starting or making anything, and prints what
 * is in effect and why. What is given and ignored is told of to the side, and so is a
 * name under which nobody reaches the pooler.
 *
 * @throws ConfigError as a start does.
 */
export async function checkConfig(
  sources: ConfigSources,
  { all, json }: CheckConfigOptions,
  { output, complain }: CheckConfigIo,
): Promise<number> {
  const config = resolveConfig(sources);
  const { target } = preflight(config, { clock: systemClock, logger: NO_LOG });
  checkDirectories(directoriesOf(config, target));
  const { problem } = advertisedHost(config, target.server);
  for (const line of [...ignoredGivens(sources), ...(problem === undefined ? [] : [problem])]) {
    complain(line);
  }
  const every = effectiveSettings(settings, sources);
  const shown = all ? every : every.filter(({ from }) => from !== "");
  await output.write(json ? jsonText(shown, { indent: 0 }) : textOf(shown));
  return 0;
}

function textOf(shown: readonly EffectiveSetting[]): string {
  const rows = shown.map(({ name, value, source, from }) => [
    name,
    printable(value ?? ""),
    from === "" ? source : printable(from),
  ]);
  const table = rows.length === 0 ? "" : `${tableText([["setting", "value", "from"], ...rows])}\n`;
  return `${table}the configuration is valid\n`;
}
