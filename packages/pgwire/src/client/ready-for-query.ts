import type { TransactionStatus } from "../messages/transaction-status.ts";

const READY: Readonly<Record<TransactionStatus, Uint8Array>> = {
  I: Buffer.from("Z\0\0\0\x05I"),
  T: Buffer.from("Z\0\0\0\x05T"),
  E: Buffer.from("Z\0\0\0\x05E"),
};

/** A ReadyForQuery message. */
export function encodeReadyForQuery(status: TransactionStatus): Uint8Array {
  return READY[status];
}
