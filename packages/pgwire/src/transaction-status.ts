import { protocolViolation } from "./error.ts";

/** I: idle, T: in a transaction, E: in a failed transaction. */
export type TransactionStatus = "I" | "T" | "E";

/** Reads the body of a ReadyForQuery. */
export function parseTransactionStatus(body: Buffer): TransactionStatus {
  const status = body.toString("latin1");
  if (status === "I" || status === "T" || status === "E") {
    return status;
  }
  throw protocolViolation(`ReadyForQuery tells no transaction status: ${JSON.stringify(status)}`);
}
