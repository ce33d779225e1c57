import * as yaml from "yaml";
import { countDatabases, importDatabases } from "./databases.ts";
import { Findings } from "./findings.ts";
import type { Note } from "./findings.ts";
import type { IniEntry } from "./ini-file.ts";
import { RULES } from "./settings-map.ts";

/** What a PgBouncer's file comes to here. */
export interface ImportedConfig {
  /** A configuration file of ours. */
  readonly file: string;
  /** What has no counterpart. */
  readonly notes: readonly Note[];
}

const SECTIONS: ReadonlySet<string> = new Set(["pgbouncer", "databases"]);
/** PgBouncer's own defaults where ours would surprise those who come from it. */
const PGBOUNCER_DEFAULTS: Readonly<Record<string, string>> = {
  "pg-listen-port": "6432",
  "pg-admin-database": "pgbouncer",
};
const DEFAULT_POOL_SIZE = 20;
const MOST_CONNECTIONS = 10_000;

/** Turns the settings of PgBouncer into a file of ours, as far as they have counterparts. */
export function importPgBouncer(entries: readonly IniEntry[], from: string): ImportedConfig {
  const findings = new Findings();
  for (const [setting, value] of Object.entries(PGBOUNCER_DEFAULTS)) {
    findings.set(setting, value);
  }
  const databases = entries.filter(({ section }) => section === "databases");
  importDatabases(databases, lastOf(entries, "unix_socket_dir")?.value ?? "/tmp", findings);
  for (const entry of entries.filter(({ section }) => section === "pgbouncer")) {
    importSetting(entry, findings);
  }
  importPoolSize(entries, countDatabases(databases), findings);
  for (const { section, key, place } of entries.filter((entry) => !SECTIONS.has(entry.section))) {
    findings.note(
      place,
      key,
      section === ""
        ? "is in no section, where PgBouncer has no settings"
        : `[${section}] has no counterpart`,
    );
  }
  const content = yaml.stringify(Object.fromEntries(findings.settings));
  return { file: `# Made of ${from}.\n${content}`, notes: findings.notes };
}

function importSetting(entry: IniEntry, findings: Findings): void {
  if (entry.key === POOL_SIZE) {
    return;
  }
  const rule = RULES.get(entry.key);
  if (rule === undefined) {
    findings.note(entry.place, entry.key, "has no counterpart");
  } else {
    rule(entry, findings);
  }
}

const POOL_SIZE = "default_pool_size";

/** PgBouncer has so many connections for each user of each database; here all share one number. */
function importPoolSize(entries: readonly IniEntry[], databases: number, findings: Findings): void {
  const given = lastOf(entries, POOL_SIZE);
  const size = given === undefined ? DEFAULT_POOL_SIZE : Number(given.value);
  if (!Number.isInteger(size) || size < 1) {
    findings.note(
      given?.place ?? "",
      POOL_SIZE,
      `${JSON.stringify(given?.value)} is no number of connections`,
    );
    return;
  }
  const capacity = Math.min(MOST_CONNECTIONS, size * databases);
  findings.set("connpool-global-capacity", String(capacity));
  findings.note(
    given?.place ?? "default",
    POOL_SIZE,
    `was for each user of each database; connpool-global-capacity ${capacity} is for all together`,
  );
}

/** A setting of PgBouncer itself; the last one counts. */
function lastOf(entries: readonly IniEntry[], setting: string): IniEntry | undefined {
  return entries.findLast(({ section, key }) => section === "pgbouncer" && key === setting);
}
