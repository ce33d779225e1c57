import { invalidArgument, messageOf, PgctldError, PgctldErrorCode } from "../error.ts";
import { optionalProgram } from "../installation/installation.ts";
import type { Installation } from "../installation/installation.ts";
import { describeEnd, runProgram } from "../run/program.ts";
import type { ProgramOptions } from "../run/program.ts";
import { formatConnInfo } from "./conn-info.ts";

/** How long the source may take to answer before the rewind fails. */
const CONNECT_TIMEOUT_S = "5";

/** What of pg_rewind's arguments callers may choose. */
const ALLOWED_ARGUMENTS: ReadonlySet<string> = new Set([
  "-R",
  "--write-recovery-conf",
  "-c",
  "--restore-target-wal",
  "-N",
  "--no-sync",
  "-P",
  "--progress",
  "--debug",
]);

/** Which server to follow, and how. */
export interface RewindRequest {
  /** Name or address of the server to become a copy of. */
  readonly sourceHost: string;
  readonly sourcePort: number;
  /** Only says what would be done. */
  readonly dryRun?: boolean | undefined;
  /** How the standby is called by its primary, with `--write-recovery-conf`. */
  readonly applicationName?: string | undefined;
  /**
   * Of pg_rewind: `--write-recovery-conf`, `--restore-target-wal`, `--no-sync`, `--progress`,
   * `--debug`, and their short forms.
   */
  readonly extraArguments?: readonly string[] | undefined;
}

/** What became of a rewind. */
export interface RewindResult {
  /** The two had the same history: there was nothing to undo. */
  readonly diverged: boolean;
  /** What pg_rewind wrote. */
  readonly output: string;
}

/** What pg_rewind is run with. */
export interface RewindPlan extends Pick<ProgramOptions, "runAs" | "environment"> {
  readonly installation: Installation;
  readonly dataDir: string;
  /** The superuser, also of the source. */
  readonly user: string;
  /** Holds the superuser's password, of the source. */
  readonly passwordFile: string;
}

/** @throws INVALID_ARGUMENT for what pg_rewind is not to be given */
export function checkRewindRequest({
  sourceHost,
  sourcePort,
  extraArguments = [],
}: RewindRequest): void {
  if (sourceHost === "") {
    throw invalidArgument("sourceHost must not be empty");
  }
  if (!Number.isSafeInteger(sourcePort) || sourcePort < 1 || sourcePort > 65_535) {
    throw invalidArgument(`sourcePort must be from 1 to 65535, not ${sourcePort}`);
  }
  const refused = extraArguments.find((argument) => !ALLOWED_ARGUMENTS.has(argument));
  if (refused !== undefined) {
    throw invalidArgument(
      `extraArguments may hold ${[...ALLOWED_ARGUMENTS].join(", ")}, not ${JSON.stringify(refused)}`,
    );
  }
}

/**
 * Undoes what a server did that its source did not, by copying what differs from the source. The
 * server must not run, and must have been shut down in order.
 *
 * Rejects with REWIND_UNAVAILABLE, REWIND_FAILED, or with CANCELLED after an abort: then the data
 * directory is of no use until a rewind succeeds.
 */
export async function runRewind(
  plan: RewindPlan,
  request: RewindRequest,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<RewindResult> {
  const { installation, dataDir, runAs, environment, passwordFile } = plan;
  const program = await optionalProgram(installation, "pg_rewind");
  if (program === undefined) {
    throw new PgctldError(
      PgctldErrorCode.RewindUnavailable,
      `there is no program pg_rewind in ${installation.binDir}: make a new copy of the primary instead`,
    );
  }
  const source = formatConnInfo({
    host: request.sourceHost,
    port: String(request.sourcePort),
    user: plan.user,
    dbname: "postgres",
    connect_timeout: CONNECT_TIMEOUT_S,
    passfile: passwordFile,
    application_name: request.applicationName,
  });
  const args = [
    ...(request.extraArguments ?? []),
    ...(request.dryRun === true ? ["--dry-run"] : []),
    `--source-server=${source}`,
    `--target-pgdata=${dataDir}`,
  ];
  const end = await runProgram({ program, args, runAs, environment }, { signal }).catch(
    (cause: unknown) => {
      if (cause instanceof PgctldError) {
        throw cause;
      }
      throw failed(messageOf(cause), cause);
    },
  );
  if (end.code !== 0) {
    throw failed(`it ended ${describeEnd(end)}: ${complaint(end.output)}`);
  }
  return { diverged: end.output.includes("servers diverged at"), output: end.output };
}

function failed(reason: string, cause?: unknown): PgctldError {
  return new PgctldError(PgctldErrorCode.RewindFailed, `pg_rewind failed: ${reason}`, { cause });
}

function complaint(output: string): string {
  const lines = output.split("\n").filter((line) => /\b(error|fatal|FATAL|detail): /.test(line));
  return (lines.length > 0 ? lines : output.trim().split("\n")).join("; ");
}
