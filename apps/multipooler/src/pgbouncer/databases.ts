import type { IniEntry } from "./ini-file.ts";
import type { Findings } from "./findings.ts";

interface Database {
  readonly entry: IniEntry;
  readonly options: ReadonlyMap<string, string>;
}

/** What of a database's line is no setting of its own here. */
const WITHOUT_COUNTERPART: Readonly<Record<string, string>> = {
  user: "each client connects to PostgreSQL as the role that it logs in as",
  password: "each client connects to PostgreSQL with its own password",
  pool_size: "connections are divided by need within connpool-global-capacity",
  min_pool_size: "connections are made by need",
  reserve_pool: "connections are divided by need within connpool-global-capacity",
  reserve_pool_size: "connections are divided by need within connpool-global-capacity",
  pool_mode: "a client holds a connection for as long as it needs the same one",
  connect_query: "use ALTER ROLE or ALTER DATABASE … SET in PostgreSQL",
  auth_user: "passwords are checked against PostgreSQL's own verifiers",
  auth_query: "passwords are checked against PostgreSQL's own verifiers",
  auth_dbname: "passwords are checked against PostgreSQL's own verifiers",
  client_encoding: "each client's own is kept",
  datestyle: "each client's own is kept",
  timezone: "each client's own is kept",
  application_name: "each client's own is kept",
  load_balance_hosts: "a pooler stands beside one PostgreSQL",
  server_lifetime: "is the same for all databases",
  max_db_connections: "is the same for all databases: connpool-max-connections-per-database",
  max_db_client_connections: "is the same for all databases: pg-max-clients-per-database",
};

/**
 * Takes over the databases of the server that most of them are on: a pooler stands beside one. Those
 * without a host are behind the Unix socket in `socketDirectory`.
 */
export function importDatabases(
  entries: readonly IniEntry[],
  socketDirectory: string,
  findings: Findings,
): void {
  const all = entries.map(databaseOf);
  const servers = Map.groupBy(all, ({ options }) => serverOf(options));
  const [chosen, ...others] = [...servers.values()].toSorted((a, b) => b.length - a.length);
  const [first] = chosen ?? [];
  if (chosen === undefined || first === undefined) {
    return;
  }
  importServer(first, socketDirectory, findings);
  const named = chosen
    .filter(({ entry }) => entry.key !== "*")
    .map((each) => nameAtServer(each, findings));
  const hasFallback = named.length < chosen.length;
  const [database, ...rest] = new Set(named);
  if (database !== undefined) {
    findings.take(first.entry, "database", database);
  }
  if (hasFallback) {
    findings.set("pg-databases", "*");
  } else if (rest.length > 0) {
    findings.take(first.entry, "pg-databases", rest.join(","));
  }
  for (const { entry } of others.flat()) {
    findings.note(
      entry.place,
      entry.key,
      "is on another server, and each PostgreSQL has a pooler of its own",
    );
  }
}

/** How many databases PgBouncer would have pools for, as far as its file says. */
export function countDatabases(entries: readonly IniEntry[]): number {
  return Math.max(1, entries.filter(({ key }) => key !== "*").length);
}

function importServer(
  { entry, options }: Database,
  socketDirectory: string,
  findings: Findings,
): void {
  const port = options.get("port") ?? "5432";
  const [host = socketDirectory, ...others] = options.get("host")?.split(",") ?? [];
  if (others.length > 0) {
    findings.note(
      entry.place,
      `${entry.key}: host`,
      `only ${host} is taken over: each PostgreSQL has a pooler of its own`,
    );
  }
  if (host === "") {
    findings.note(entry.place, entry.key, "has no host, and unix_socket_dir is empty");
  } else if (host.startsWith("@")) {
    findings.note(entry.place, entry.key, `${host} is an abstract socket: use one with a path`);
  } else if (host.startsWith("/")) {
    findings.take(entry, "socket-file", `${host}/.s.PGSQL.${port}`);
  } else {
    findings.take(entry, "pg-host", host);
    findings.take(entry, "pg-port", port);
  }
}

function nameAtServer({ entry, options }: Database, findings: Findings): string {
  const { key: name, place } = entry;
  const atServer = options.get("dbname") ?? name;
  if (atServer !== name) {
    findings.note(
      place,
      name,
      `is no other name for ${atServer}: clients have to use PostgreSQL's`,
    );
  }
  for (const key of options.keys()) {
    const why = WITHOUT_COUNTERPART[key];
    if (why !== undefined) {
      findings.note(place, `${name}: ${key}`, why);
    }
  }
  return atServer;
}

function databaseOf(entry: IniEntry): Database {
  const options = new Map<string, string>();
  // As in PgBouncer's lines: values with blanks in single quotes, of which two stand for one.
  for (const [, option = "", quoted, plain] of entry.value.matchAll(
    /(\w+)\s*=\s*(?:'((?:[^']|'')*)'|(\S*))/g,
  )) {
    options.set(option.toLowerCase(), quoted?.replaceAll("''", "'") ?? plain ?? "");
  }
  return { entry, options };
}

function serverOf(options: ReadonlyMap<string, string>): string {
  return `${options.get("host") ?? ""}:${options.get("port") ?? "5432"}`;
}
