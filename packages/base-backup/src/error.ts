/**
 * Why a base backup failed. Closed: callers map it with an exhaustive switch. The target is as it was
 * before in each case.
 *
 * | code                | meaning                                                                  |
 * | ------------------- | ------------------------------------------------------------------------ |
 * | INVALID_ARGUMENT    | an option is malformed                                                   |
 * | TARGET_UNUSABLE     | the target is there and not empty, or cannot be made                     |
 * | SOURCE_UNAVAILABLE  | the source cannot be reached, or the connection was lost                 |
 * | SOURCE_REFUSED      | the source refuses the login or the backup; the message has its words    |
 * | UNSUPPORTED_VERSION | the source is older than PostgreSQL 15                                   |
 * | TABLESPACE_UNMAPPED | the source has a tablespace for which no place is given                  |
 * | MALFORMED           | what the source sends is no base backup                                  |
 * | DAMAGED             | files differ from the manifest, or WAL is missing                        |
 * | WRITE_FAILED        | a file cannot be written, e.g. because the disk is full                  |
 * | CANCELLED           | the caller's signal aborted; `cause` is its reason                       |
 */
export const BaseBackupErrorCode = {
  InvalidArgument: "INVALID_ARGUMENT",
  TargetUnusable: "TARGET_UNUSABLE",
  SourceUnavailable: "SOURCE_UNAVAILABLE",
  SourceRefused: "SOURCE_REFUSED",
  UnsupportedVersion: "UNSUPPORTED_VERSION",
  TablespaceUnmapped: "TABLESPACE_UNMAPPED",
  Malformed: "MALFORMED",
  Damaged: "DAMAGED",
  WriteFailed: "WRITE_FAILED",
  Cancelled: "CANCELLED",
} as const;
export type BaseBackupErrorCode = (typeof BaseBackupErrorCode)[keyof typeof BaseBackupErrorCode];

/** The error of this package. Its message is one line for people. */
export class BaseBackupError extends Error {
  override readonly name = "BaseBackupError";
  readonly code: BaseBackupErrorCode;

  constructor(
    code: BaseBackupErrorCode,
    message: string,
    options: { readonly cause?: unknown } = {},
  ) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
  }
}

export function malformed(problem: string): BaseBackupError {
  return new BaseBackupError(
    BaseBackupErrorCode.Malformed,
    `the source sends no base backup: ${problem}`,
  );
}

export function damaged(problem: string): BaseBackupError {
  return new BaseBackupError(BaseBackupErrorCode.Damaged, `the copy is damaged: ${problem}`);
}

export function writeFailed(path: string, cause: unknown): BaseBackupError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new BaseBackupError(
    BaseBackupErrorCode.WriteFailed,
    `${path} cannot be written: ${reason}`,
    { cause },
  );
}
