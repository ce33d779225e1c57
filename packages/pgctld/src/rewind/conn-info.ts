import { invalidArgument } from "../error.ts";

/** Keywords and values of a connection string, such as `{ host: "10.0.0.7", port: "5432" }`. */
export type ConnInfo = Readonly<Record<string, string | undefined>>;

/** A connection string as libpq reads it, every value quoted. @throws INVALID_ARGUMENT */
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

/** A line of a password file, as libpq reads it: for any server and database. */
export function passwordFileText(user: string, password: string): string {
  const field = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll(":", "\\:");
  return `*:*:*:${field(user)}:${field(password)}\n`;
}
