/** Keywords of a connection string and their values, e.g. host, port, user. */
export type ConnInfo = ReadonlyMap<string, string>;

/** Keywords whose values nobody is to see. */
const SECRETS: ReadonlySet<string> = new Set([
  "password",
  "sslpassword",
  "oauth_client_secret",
  "scram_client_key",
  "scram_server_key",
]);

/** A connection string that libpq does not read as one. */
export class ConnInfoSyntaxError extends Error {
  override readonly name = "ConnInfoSyntaxError";
}

/** Writes a connection string that libpq reads as these values, quoted where that is necessary. */
export function formatConnInfo(info: ConnInfo): string {
  return Array.from(info, ([keyword, value]) => `${keyword}=${quoteValue(value)}`).join(" ");
}

/** A connection string without its secrets. */
export function withoutSecrets(info: ConnInfo): string {
  const shown = Array.from(
    info,
    ([keyword, value]) => [keyword, SECRETS.has(keyword) ? "[REDACTED]" : value] as const,
  );
  return formatConnInfo(new Map(shown));
}

function quoteValue(value: string): string {
  return /^[^\s'\\]+$/.test(value)
    ? value
    : `'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
