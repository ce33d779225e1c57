import { protocolViolation } from "../error.ts";
import { HEADER_BYTES } from "./protocol.ts";

/** I: idle, T: in a transaction, E: in a failed transaction. */
export type TransactionStatus = "I" | "T" | "E";

/**
 * The status in a ReadyForQuery message of `byteLength` bytes.
 *
 * @throws PROTOCOL_VIOLATION
 */
export function parseTransactionStatus(
  lastByte: number | undefined,
  byteLength: number,
): TransactionStatus {
  if (byteLength === HEADER_BYTES + 1) {
    switch (lastByte) {
      case 0x49:
        return "I";
      case 0x54:
        return "T";
      case 0x45:
        return "E";
      default:
        break;
    }
  }
  throw protocolViolation("ReadyForQuery tells no transaction status");
}
