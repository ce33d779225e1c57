import { malformed } from "./error.ts";

/**
 * A position in the WAL, from PostgreSQL's text. `@multipooler/topo` reads the same text: it is no part of
 * a backup, which works without a topology, and nothing that both depend on knows of the WAL.
 *
 * @throws MALFORMED
 */
export function parseLsn(text: string): bigint {
  const [, high, low] = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text) ?? [];
  if (high === undefined || low === undefined) {
    throw malformed(`${JSON.stringify(text.slice(0, 40))} is no position in the WAL`);
  }
  return BigInt(`0x${high}`) * LSN_BASE + BigInt(`0x${low}`);
}

/** What the digits before the slash count. */
export const LSN_BASE: bigint = 2n ** 32n;
