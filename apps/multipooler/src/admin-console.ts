import type { ConsoleOptions, ConsoleSetting } from "@multipooler/pgwire-services";
import { ConfigError } from "./settings/config.ts";
import type { Setting } from "./settings/setting.ts";
import { settings } from "./settings/settings.ts";
import type { Config } from "./settings/settings.ts";
import { buildVersion } from "./version.ts";

/** Stands for a secret that is set. */
const HIDDEN = "(hidden)";

/**
 * The admin console of the configuration that the process runs with. `reload` reads that again, and
 * throws why it cannot be used.
 */
export function adminConsole(
  current: () => Config,
  pooler: ConsoleOptions["pooler"],
  reload: () => void,
): ConsoleOptions {
  return {
    database: current().pgAdminDatabase,
    get admins() {
      const { pgAdminUsers, adminUser } = current();
      return pgAdminUsers ?? [adminUser];
    },
    get viewers() {
      return current().pgStatsUsers ?? [];
    },
    pooler,
    version: `Multipooler ${buildVersion.version}`,
    settings: () => shownSettings(current()),
    reload: async () => reload(),
  };
}

/** @throws ConfigError when the console would hide the database that is served */
export function checkConsole({
  pgListenPort,
  pgAdminDatabase,
  database,
}: Pick<Config, "pgListenPort" | "pgAdminDatabase" | "database">): void {
  if (pgListenPort !== undefined && pgAdminDatabase === database) {
    throw new ConfigError([
      `--pg-admin-database: "${pgAdminDatabase}" is the database that is served (--database)`,
    ]);
  }
}

/** Every setting with its value, for people. */
function shownSettings(config: Config): ConsoleSetting[] {
  const values = new Map<string, unknown>(Object.entries(config));
  return Object.entries<Setting<unknown>>(settings).map(([key, setting]) => ({
    name: setting.flag,
    value: shownValue(values.get(key), setting),
    default: setting.defaultText,
    isChangeable: setting.restartReason === undefined,
  }));
}

function shownValue(value: unknown, { secret, placeholder }: Setting<unknown>): string | undefined {
  if (value === undefined) {
    return undefined;
  }
  if (secret) {
    return HIDDEN;
  }
  if (value instanceof Set || Array.isArray(value)) {
    return [...value].map((part) => shownPart(part)).join(",");
  }
  return placeholder === "duration" && value !== 0 ? `${shownPart(value)}ms` : shownPart(value);
}

function shownPart(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
