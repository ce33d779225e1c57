import { isAbsolute } from "node:path";
import { BackendConnection, PgwireError, PgwireErrorCode } from "@multipooler/pgwire";
import type { ConnectOptions } from "@multipooler/pgwire";
import { MalformedMessageError } from "@multipooler/query-service";
import { onAbort } from "@multipooler/timing";
import { BackupStream } from "./backup-stream.ts";
import { CopyWriter, walDirIn } from "./copy-writer.ts";
import { BaseBackupError, BaseBackupErrorCode, malformed } from "./error.ts";
import type { Owner } from "./extraction.ts";
import { checkFiles, parseManifest } from "./manifest.ts";
import { queryRows } from "./replication-query.ts";
import { checkWal } from "./wal-check.ts";

/** Which server to copy. Its user needs the attribute REPLICATION. */
export type BackupSource = Pick<ConnectOptions, "address" | "user" | "credential" | "tls">;

/** What to copy, and where to. */
export interface BaseBackupOptions {
  readonly source: BackupSource;
  /** Absolute path of the new data directory, which must be absent or empty. */
  readonly dataDir: string;
  /** As root: whom the files are to belong to. Default: this process' user. */
  readonly owner?: Owner | undefined;
  /** For each tablespace of the source, by its location there, its absolute path here. */
  readonly tablespaces?: Readonly<Record<string, string>> | undefined;
  /** How the backup is called at the source. Default "multipooler". */
  readonly label?: string | undefined;
  /** "fast": the source writes its checkpoint at once. "spread": over minutes. Default "fast". */
  readonly checkpoint?: "fast" | "spread" | undefined;
  /** False: files are not synced to disk. Default true. */
  readonly durable?: boolean | undefined;
}

/** A copy that was made. */
export interface BaseBackupResult {
  /** The same in all copies of a cluster. */
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** Where the WAL of the copy begins and ends. */
  readonly startLsn: string;
  readonly endLsn: string;
  /** Files that were written, and their bytes. */
  readonly files: number;
  readonly bytes: number;
}

/** The first version that sends all archives in one stream. */
const MIN_MAJOR = 15;
const UNITS: Readonly<Record<string, bigint>> = {
  B: 1n,
  kB: 1024n,
  MB: 1_048_576n,
  GB: 1_073_741_824n,
};

/**
 * Copies the data directory of a running server, with the WAL that the copy needs to start. Every
 * file is checked against the manifest of the source, and its WAL for completeness, before the copy
 * is moved to its place; a copy that fails leaves nothing.
 *
 * The source keeps the WAL of the time that this takes only as far as its `wal_keep_size` says;
 * otherwise the backup fails with SOURCE_REFUSED.
 *
 * Rejects with a `BaseBackupError`.
 */
export async function takeBaseBackup(
  options: BaseBackupOptions,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<BaseBackupResult> {
  checkOptions(options);
  try {
    return await copy(options, signal);
  } catch (error) {
    throw backupError(error, signal);
  }
}

async function copy(
  options: BaseBackupOptions,
  signal: AbortSignal | undefined,
): Promise<BaseBackupResult> {
  const { source, dataDir, owner, tablespaces = {}, durable = true } = options;
  await using connection = await BackendConnection.connect(
    {
      ...source,
      database: "replication",
      parameters: { replication: "true", application_name: "multipooler base backup" },
    },
    { signal },
  );
  const stopListening = onAbort(signal, ({ reason }) => connection.destroy(reason));
  try {
    checkVersion(connection.parameters.get("server_version") ?? "");
    const [[systemIdentifier] = []] = await queryRows(connection, "IDENTIFY_SYSTEM");
    const segmentBytes = await walSegmentBytes(connection);
    await using writer = new CopyWriter({
      dataDir,
      owner,
      durable,
      tablespaces: new Map(Object.entries(tablespaces)),
    });
    const endLsn = await new BackupStream(writer).run(connection, backupCommand(options));
    await writer.finish();
    const manifest = parseManifest(writer.manifest);
    checkFiles(manifest, writer.written);
    await checkWal(walDirIn(writer.staging), manifest.walRanges, segmentBytes);
    const range = manifest.walRanges.at(-1);
    if (range === undefined || systemIdentifier === undefined) {
      throw malformed("it does not say which WAL it needs");
    }
    signal?.throwIfAborted();
    await writer.commit();
    return {
      systemIdentifier,
      timeline: range.timeline,
      startLsn: writer.startLsn,
      endLsn,
      files: writer.written.size,
      bytes: [...writer.written.values()].reduce((sum, { size }) => sum + size, 0),
    };
  } finally {
    stopListening();
  }
}

function backupCommand({ label = "multipooler", checkpoint = "fast" }: BaseBackupOptions): string {
  const options = [
    `LABEL '${label.replaceAll("'", "''")}'`,
    `CHECKPOINT '${checkpoint}'`,
    "WAL true",
    // The WAL is in the backup, so that it need not be in the archive.
    "WAIT false",
    "MANIFEST 'yes'",
    "MANIFEST_CHECKSUMS 'SHA256'",
  ];
  return `BASE_BACKUP (${options.join(", ")})`;
}

async function walSegmentBytes(connection: BackendConnection): Promise<bigint> {
  const [[text = ""] = []] = await queryRows(connection, "SHOW wal_segment_size");
  const [, count, unit = ""] = /^(\d+)(B|kB|MB|GB)$/.exec(text) ?? [];
  const factor = UNITS[unit];
  if (count === undefined || factor === undefined || BigInt(count) === 0n) {
    throw malformed(`its wal_segment_size is ${JSON.stringify(text.slice(0, 40))}`);
  }
  return BigInt(count) * factor;
}

function checkVersion(version: string): void {
  const major = Number.parseInt(version, 10);
  if (!(major >= MIN_MAJOR)) {
    throw new BaseBackupError(
      BaseBackupErrorCode.UnsupportedVersion,
      `the source is PostgreSQL ${version}, and a base backup needs PostgreSQL ${MIN_MAJOR} or newer`,
    );
  }
}

function checkOptions({ dataDir, tablespaces = {}, label = "" }: BaseBackupOptions): void {
  const paths = { dataDir, ...tablespaces };
  for (const [name, path] of Object.entries(paths)) {
    if (!isAbsolute(path) || path.includes("\0")) {
      throw invalid(`the place of ${name} must be an absolute path, not ${JSON.stringify(path)}`);
    }
  }
  if (/[\0\n\r]/.test(label)) {
    throw invalid("label must be one line");
  }
}

function invalid(problem: string): BaseBackupError {
  return new BaseBackupError(BaseBackupErrorCode.InvalidArgument, problem);
}

/** Any failure as an error of this package. */
function backupError(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted === true) {
    const cause: unknown = signal.reason;
    return new BaseBackupError(BaseBackupErrorCode.Cancelled, "the base backup was cancelled", {
      cause,
    });
  }
  if (error instanceof MalformedMessageError) {
    return malformed(error.message);
  }
  if (!(error instanceof PgwireError)) {
    return error;
  }
  return new BaseBackupError(codeOf(error), `the base backup failed: ${error.message}`, {
    cause: error,
  });
}

function codeOf({ code }: PgwireError): BaseBackupErrorCode {
  switch (code) {
    case PgwireErrorCode.Postgres:
    case PgwireErrorCode.AuthenticationFailed:
      return BaseBackupErrorCode.SourceRefused;
    case PgwireErrorCode.ConnectFailed:
    case PgwireErrorCode.TlsFailed:
    case PgwireErrorCode.ConnectionLost:
    case PgwireErrorCode.Closed:
      return BaseBackupErrorCode.SourceUnavailable;
    case PgwireErrorCode.Unsupported:
    case PgwireErrorCode.ProtocolViolation:
      return BaseBackupErrorCode.Malformed;
    case PgwireErrorCode.InvalidArgument:
      return BaseBackupErrorCode.InvalidArgument;
    case PgwireErrorCode.Aborted:
      return BaseBackupErrorCode.Cancelled;
  }
}
