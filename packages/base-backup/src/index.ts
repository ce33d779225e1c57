export { takeBaseBackup } from "./base-backup.ts";
export type { BackupSource, BaseBackupOptions, BaseBackupResult } from "./base-backup.ts";
export { BaseBackupError, BaseBackupErrorCode } from "./error.ts";
export type { Owner } from "./extraction.ts";
