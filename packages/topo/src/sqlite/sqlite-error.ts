import { TopoError, TopoErrorCode } from "../error.ts";

// https://www.sqlite.org/rescode.html
const BUSY_CODE = 5;
const TOPO_CODES: Readonly<Record<number, TopoErrorCode>> = {
  3: TopoErrorCode.Denied, // SQLITE_PERM
  8: TopoErrorCode.Denied, // SQLITE_READONLY
  10: TopoErrorCode.Unavailable, // SQLITE_IOERR
  13: TopoErrorCode.Unavailable, // SQLITE_FULL
  14: TopoErrorCode.Unavailable, // SQLITE_CANTOPEN
  26: TopoErrorCode.InvalidArgument, // SQLITE_NOTADB
};

// What making the folder of the file fails with.
const SYSTEM_CODES: Readonly<Record<string, TopoErrorCode>> = {
  EACCES: TopoErrorCode.Denied,
  EPERM: TopoErrorCode.Denied,
  EROFS: TopoErrorCode.Denied,
  EEXIST: TopoErrorCode.InvalidArgument,
  ENOTDIR: TopoErrorCode.InvalidArgument,
  ENAMETOOLONG: TopoErrorCode.InvalidArgument,
  ELOOP: TopoErrorCode.InvalidArgument,
};

interface SqliteFailure extends Error {
  readonly errcode: number;
}

function isSqliteFailure(error: unknown): error is SqliteFailure {
  return error instanceof Error && "errcode" in error && typeof error.errcode === "number";
}

/** Whether another connection was in the way. */
export function isBusy(error: unknown): boolean {
  return isSqliteFailure(error) && (error.errcode & 0xff) === BUSY_CODE;
}

/** The error for work on the topology file at `path` that failed. */
export function fileError(path: string, error: unknown): TopoError {
  if (error instanceof TopoError) {
    return error;
  }
  const message = `the topology file cannot be used: ${error instanceof Error ? error.message : String(error)}`;
  return new TopoError({ code: codeOf(error), key: path, message, cause: error });
}

function codeOf(error: unknown): TopoErrorCode {
  if (isSqliteFailure(error)) {
    return TOPO_CODES[error.errcode & 0xff] ?? TopoErrorCode.Internal;
  }
  // Of the rest some pass, a full disk for one, and all are for an operator to see.
  if (isSystemFailure(error)) {
    return SYSTEM_CODES[error.code] ?? TopoErrorCode.Unavailable;
  }
  return TopoErrorCode.Internal;
}

function isSystemFailure(error: unknown): error is Error & { readonly code: string } {
  return (
    error instanceof Error &&
    "syscall" in error &&
    "code" in error &&
    typeof error.code === "string"
  );
}
