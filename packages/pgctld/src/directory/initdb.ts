import { messageOf, PgctldError, PgctldErrorCode } from "../error.ts";
import { describeEnd, runProgram } from "../run/program.ts";
import type { RunAs } from "../run/run-as.ts";

/** The version that knows locales of its own, the same on every operating system. */
const BUILTIN_LOCALES_MAJOR = 17;

/** How a new cluster is made. */
export interface InitdbOptions {
  /** Name of the superuser. */
  readonly user: string;
  /** False leaves out syncing to disk: faster, and the data may not survive a power failure. */
  readonly durable: boolean;
  /** Further arguments, which win over those of this package. */
  readonly extraArguments: readonly string[];
}

/** The arguments that make a cluster in `dataDir`; `passwordFile` holds the superuser's password. */
export function initdbArguments(
  { user, durable, extraArguments }: InitdbOptions,
  target: { readonly dataDir: string; readonly passwordFile: string; readonly major: number },
): string[] {
  const { dataDir, passwordFile, major } = target;
  return [
    `--username=${user}`,
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256", // The file that says so is written again after initdb.
    "--encoding=UTF8",
    "--no-locale",
    // Code-point order and full Unicode case rules.
    ...(major >= BUILTIN_LOCALES_MAJOR
      ? ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
      : []),
    // pg_rewind needs them, and a base backup is checked by them.
    "--data-checksums",
    "--no-instructions",
    ...(durable ? [] : ["--no-sync"]),
    ...extraArguments,
    // Behind the others: this one is not to be changed.
    `--pgdata=${dataDir}`,
  ];
}

/** Runs `initdb` to its end. Rejects with INITDB_FAILED, or with CANCELLED after an abort. */
export async function runInitdb(
  program: string,
  args: readonly string[],
  { runAs, signal }: { readonly runAs: RunAs; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const end = await runProgram({ program, args, runAs }, { signal }).catch((cause: unknown) => {
    if (cause instanceof PgctldError) {
      throw cause;
    }
    throw failed(messageOf(cause), cause);
  });
  if (end.code !== 0) {
    throw failed(`it ended ${describeEnd(end)}: ${complaint(end.output)}`);
  }
}

function failed(reason: string, cause?: unknown): PgctldError {
  return new PgctldError(PgctldErrorCode.InitdbFailed, `initdb failed: ${reason}`, { cause });
}

/** The line that says what is wrong, with the one of the server behind it, or all there is. */
function complaint(output: string): string {
  const lines = output.split("\n");
  const fatal = lines.filter((line) => /\b(FATAL|PANIC): /.test(line));
  const own = lines.filter((line) => /^initdb: (error|fatal): /.test(line));
  const chosen = [...fatal, ...own];
  return chosen.length > 0 ? chosen.join("; ") : output.trim();
}
