import { invalidArgument } from "../error.ts";

/** Keywords and values of a connection string, such as `{ host: "10.0.0.7", port: "5432" }`. */
export type ConnInfo = Readonly<Record<string, string | undefined>>;

/**
 * A connection string as libpq reads it, every value quoted. `@multipooler/manager` writes its own, which
 * were read before and keep their form: a daemon of PostgreSQL's process does without a manager.
 *
 * @throws INVALID_ARGUMENT
 */
export function formatConnInfo(info: ConnInfo): string {
  return Object.entries(info)
    .flatMap(([keyword, value]) => (value === undefined ? [] : [pair(keyword, value)]))
    .join(" ");
}

function pair(keyword: string, value: string): string {
  if (!/^[a-z_]+$/.test(keyword)) {
    throw invalidArgument(`${JSON.stringify(keyword)} is no keyword of a connection string`);
  }
  if (/[\0\n\r]/.test(value)) {
    throw invalidArgument(`${keyword} has a line break or a NUL character`);
  }
  return `${keyword}='${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** Which server a standby follows. */
export interface PrimaryAddress {
  readonly host: string;
  readonly port: number;
  /** How the standby is called in `synchronous_standby_names` and in `pg_stat_replication`. */
  readonly applicationName?: string | undefined;
}

/** The value of `primary_conninfo`. @throws INVALID_ARGUMENT */
export function primaryConnInfo(
  { host, port, applicationName }: PrimaryAddress,
  { user, passwordFile }: { readonly user: string; readonly passwordFile: string },
): string {
  if (host === "") {
    throw invalidArgument("host must not be empty");
  }
  if (!Number.isSafeInteger(port) || port < 1 || port > 65_535) {
    throw invalidArgument(`port must be from 1 to 65535, not ${port}`);
  }
  return formatConnInfo({
    host,
    port: String(port),
    user,
    passfile: passwordFile,
    application_name: applicationName,
    dbname: "postgres", // PostgreSQL 17 takes replication slots over with it.
  });
}

/** A line of a password file, as libpq reads it: for any server and database. */
export function passwordFileText(user: string, password: string): string {
  const field = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll(":", "\\:");
  return `*:*:*:${field(user)}:${field(password)}\n`;
}
