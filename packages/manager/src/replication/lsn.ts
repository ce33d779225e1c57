import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { Lsn } from "./replication-control.ts";

/** Returns `text` if PostgreSQL takes it for a WAL position; throws INVALID_ARGUMENT otherwise. */
export function checkLsn(field: string, text: string): Lsn {
  if (!/^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/.test(text)) {
    const rule = "a WAL position such as 16/B374D848";
    throw new ManagerError(
      ManagerErrorCode.InvalidArgument,
      `${field} is ${JSON.stringify(text)}; it must be ${rule}`,
    );
  }
  return text;
}
