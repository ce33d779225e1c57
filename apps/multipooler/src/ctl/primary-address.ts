import { ConfigError } from "../settings/config.ts";

/** Where others reach a PostgreSQL. */
export interface PrimaryAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Parses `<host>:<port>`; an IPv6 address is in brackets.
 *
 * @throws ConfigError if it is none
 */
export function primaryAddress(text: string): PrimaryAddress {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) {
    throw new ConfigError([`${JSON.stringify(text)} is no address; it must be <host>:<port>`]);
  }
  return { host, port: Number(port) };
}
