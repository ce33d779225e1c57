import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type { DatabaseConfig } from "@multipooler/manager";
import { fileFault } from "./file-fault.ts";

/** Whose password is looked for. */
export interface PassfileLogin {
  readonly address: DatabaseConfig["address"];
  /** What the user calls the host, where the address is what that was resolved to. */
  readonly host?: string | undefined;
  readonly database: string;
  readonly user: string;
}

/** Where servers have their sockets by default; their entries are those of localhost. */
const SOCKET_DIRECTORIES = new Set(["/tmp", "/run/postgresql", "/var/run/postgresql"]);
/** Everybody but the owner. */
const OTHERS = 0o077;

/**
 * The password of the first entry of a password file of libpq that fits; `undefined`: none does. Without
 * a path it is ~/.pgpass, which may be missing; as in libpq it does not count where others can read it.
 *
 * @throws an error that names the file, for one that was named and cannot be used
 */
export function passwordIn(path: string | undefined, login: PassfileLogin): string | undefined {
  const file = path ?? join(homedir(), ".pgpass");
  try {
    const stats = statSync(file);
    if (!stats.isFile() || (stats.mode & OTHERS) !== 0) {
      throw new Error("others can read it: chmod 0600 makes it private");
    }
    return find(readFileSync(file, "utf8"), login);
  } catch (error) {
    if (path === undefined) {
      return undefined;
    }
    throw new Error(`${file}: ${fileFault(error)}`, { cause: error });
  }
}

function find(content: string, login: PassfileLogin): string | undefined {
  const wanted = fieldsOf(login);
  for (const line of content.split(/\r?\n/)) {
    if (line === "" || line.startsWith("#")) {
      continue;
    }
    const fields = split(line);
    const password = fields[wanted.length];
    const fits = wanted.every((values, index) => {
      const field = fields[index];
      return field === "*" || values.some((value) => value === field);
    });
    if (fits && password !== undefined && password !== "") {
      return password;
    }
  }
  return undefined;
}

/** What the first four fields may be. */
function fieldsOf({ address, host, database, user }: PassfileLogin): readonly string[][] {
  switch (address.type) {
    case "tcp":
      return [[host ?? address.host], [String(address.port)], [database], [user]];
    case "socket": {
      const directory = dirname(address.path);
      const port = /\.s\.PGSQL\.(\d+)$/.exec(address.path)?.[1] ?? "5432";
      const hosts = SOCKET_DIRECTORIES.has(directory) ? ["localhost"] : [directory];
      return [hosts, [port], [database], [user]];
    }
  }
}

/** Fields stand between colons; a backslash takes the meaning of what follows it. */
function split(line: string): string[] {
  return [...line.matchAll(/((?:\\.|[^\\:])*\\?)(?::|$)/g)].map(([, field = ""]) =>
    field.replaceAll(/\\(.)/g, "$1"),
  );
}
