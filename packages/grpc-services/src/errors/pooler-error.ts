import { PoolerErrorCode } from "@multipooler/query-service";
import type { PoolerError } from "@multipooler/query-service";

const CODES: ReadonlySet<unknown> = new Set(Object.values(PoolerErrorCode));

/** Whether a controller may throw `error`: the name and a known code decide. */
export function isPoolerError(error: unknown): error is PoolerError {
  return (
    error instanceof Error &&
    error.name === "PoolerError" &&
    "code" in error &&
    CODES.has(error.code) &&
    "diagnostic" in error &&
    (error.diagnostic === undefined || typeof error.diagnostic === "object") &&
    "reservation" in error
  );
}
