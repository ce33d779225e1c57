import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hasErrno, invalidArgument, ioFailed } from "../error.ts";
import { writeAsServer } from "./server-file.ts";

/** The file with the settings of this package; `ALTER SYSTEM` wins over it. */
const OWN_FILE = "pgctld.conf";
const MAIN_FILE = "postgresql.conf";
const INCLUDE = `include_if_exists '${OWN_FILE}'`;

/** Settings of a server as `postgresql.conf` has them, such as `{ max_connections: "20" }`. */
export type ServerSettings = Readonly<Record<string, string>>;

/** What a server needs to be copied, followed, rewound and promoted. */
const DEFAULT_SETTINGS: ServerSettings = {
  wal_level: "logical",
  max_wal_senders: "25",
  max_replication_slots: "25",
  // What a base backup and pg_rewind still need is not to be gone.
  wal_keep_size: "512MB",
  // A standby that is away must not fill the disk of its primary.
  max_slot_wal_keep_size: "4096MB",
  hot_standby: "on",
  wal_log_hints: "on",
  password_encryption: "scram-sha-256",
};

/** Given to the server on its command line, where nothing can change them. */
const FIXED_SETTINGS: ReadonlySet<string> = new Set([
  "port",
  "listen_addresses",
  "unix_socket_directories",
  "lc_messages",
  "log_destination",
  "logging_collector",
  "data_directory",
]);

/**
 * Writes the settings into the data directory and sees to it that the server reads them. A
 * `postgresql.conf` that is missing, as in a copy of a server of Debian, is made.
 */
export async function writeConfiguration(dataDir: string, settings: ServerSettings): Promise<void> {
  const text = configurationText({ ...DEFAULT_SETTINGS, ...settings });
  await writeAsServer(dataDir, OWN_FILE, text);
  const path = join(dataDir, MAIN_FILE);
  try {
    const main = await readFile(path, "utf8");
    if (!main.split("\n").includes(INCLUDE)) {
      await appendFile(path, `\n# The settings of pgctld.\n${INCLUDE}\n`);
    }
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) {
      throw ioFailed(`${path} cannot be changed`, error);
    }
    await writeAsServer(dataDir, MAIN_FILE, `# The settings of pgctld.\n${INCLUDE}\n`);
  }
}

/** @throws INVALID_ARGUMENT for a name or value that cannot be a setting, or not one of a user */
export function checkSettings(settings: ServerSettings): void {
  for (const [name, value] of Object.entries(settings)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_$]*)*$/.test(name)) {
      throw invalidArgument(`${JSON.stringify(name)} is no name of a setting of PostgreSQL`);
    }
    if (FIXED_SETTINGS.has(name.toLowerCase())) {
      throw invalidArgument(`the setting ${name} is given by pgctld and cannot be set`);
    }
    if (/[\0\n\r]/.test(value)) {
      throw invalidArgument(`the value of the setting ${name} has a line break or a NUL character`);
    }
  }
}

function configurationText(settings: ServerSettings): string {
  checkSettings(settings);
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${quote(value)}`);
  return `# Written by pgctld at each start and reload: change its settings instead.\n${lines.join("\n")}\n`;
}

/** A value as the files of PostgreSQL's configuration have it. */
function quote(value: string): string {
  return `'${value.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

/** Writes a setting into `postgresql.auto.conf`, in place of an earlier value, as ALTER SYSTEM does. */
export async function setPersistently(dataDir: string, name: string, value: string): Promise<void> {
  checkSettings({ [name]: value });
  const path = join(dataDir, "postgresql.auto.conf");
  try {
    const text = await readFile(path, "utf8").catch((error: unknown) => {
      if (hasErrno(error, "ENOENT")) {
        return "";
      }
      throw error;
    });
    const others = text.split("\n").filter((line) => line !== "" && nameIn(line) !== name);
    const file = "postgresql.auto.conf";
    await writeAsServer(dataDir, file, `${[...others, `${name} = ${quote(value)}`].join("\n")}\n`);
  } catch (error) {
    throw ioFailed(`${path} cannot be changed`, error);
  }
}

function nameIn(line: string): string | undefined {
  return /^\s*([A-Za-z_][\w.$]*)/.exec(line)?.[1]?.toLowerCase();
}

/** Writes pg_hba.conf where there is none, as in a copy of a server of Debian. */
export async function writeMissingAccessRules(dataDir: string, text: string): Promise<void> {
  try {
    await writeFile(join(dataDir, "pg_hba.conf"), "", { flag: "ax", mode: 0o600 });
  } catch (error) {
    if (hasErrno(error, "EEXIST")) {
      return;
    }
    throw ioFailed(`${join(dataDir, "pg_hba.conf")} cannot be made`, error);
  }
  await writeAsServer(dataDir, "pg_hba.conf", text);
}
