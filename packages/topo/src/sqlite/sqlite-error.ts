import { TopoError, TopoErrorCode } from "../error.ts";

// https://www.sqlite.org/rescode.html
const busyCode = 5;
const topoCodes: Readonly<Record<number, TopoErrorCode>> = {
  3: TopoErrorCode.Denied, // SQLITE_PERM
  8: TopoErrorCode.Denied, // SQLITE_READONLY
  10: TopoErrorCode.Unavailable, // SQLITE_IOERR
  13: TopoErrorCode.Unavailable, // SQLITE_FULL
  14: TopoErrorCode.Unavailable, // SQLITE_CANTOPEN
  26: TopoErrorCode.InvalidArgument, // SQLITE_NOTADB
};

interface SqliteFailure extends Error {
  readonly errcode: number;
}

function isSqliteFailure(error: unknown): error is SqliteFailure {
  return error instanceof Error && "errcode" in error && typeof error.errcode === "number";
}

/** Whether another connection was in the way. */
export function isBusy(error: unknown): boolean {
  return isSqliteFailure(error) && (error.errcode & 0xff) === busyCode;
}

/** The error for work on the topology file at `path` that failed. */
export function fileError(path: string, error: unknown): TopoError {
  if (error instanceof TopoError) return error;
  const message = `the topology file cannot be used: ${error instanceof Error ? error.message : String(error)}`;
  const code = isSqliteFailure(error) ? topoCodes[error.errcode & 0xff] : undefined;
  return new TopoError({ code: code ?? TopoErrorCode.Internal, key: path, message, cause: error });
}
