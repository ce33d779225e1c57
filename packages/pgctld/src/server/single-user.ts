import { messageOf, PgctldError, PgctldErrorCode } from "../error.ts";
import { runProgram } from "../run/program.ts";
import type { ProgramOptions } from "../run/program.ts";
import { setStartRole, startsAsStandby } from "../directory/server-file.ts";
import { failureWords } from "./start-failure.ts";

/** What crash recovery is run with. */
export interface RecoveryPlan extends Pick<ProgramOptions, "runAs" | "environment"> {
  /** Path of the program `postgres`. */
  readonly postgres: string;
  readonly dataDir: string;
}

/**
 * Recovers a cluster that was not shut down in order: a server for a single user replays its WAL,
 * writes a checkpoint and ends. Such a server is no standby, so that `standby.signal` is away
 * meanwhile; it is put back even when this fails, for the next start must not bring up a primary.
 *
 * The server must not run. Rejects with RECOVERY_FAILED, or with CANCELLED after an abort.
 */
export async function recoverCluster(
  plan: RecoveryPlan,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const { postgres, dataDir, runAs, environment } = plan;
  const standby = await startsAsStandby(dataDir);
  if (standby) {
    await setStartRole(dataDir, "primary");
  }
  try {
    const args = ["--single", "-D", dataDir, "-c", "lc_messages=C", "template1"];
    const { code, output } = await runProgram(
      { program: postgres, args, runAs, environment },
      { signal },
    ).catch((cause: unknown) => {
      if (cause instanceof PgctldError) {
        throw cause;
      }
      throw failed(dataDir, messageOf(cause), cause);
    });
    if (code !== 0) {
      throw failed(dataDir, failureWords(output.split("\n").filter((line) => line !== "")));
    }
  } finally {
    if (standby) {
      await setStartRole(dataDir, "standby");
    }
  }
}

function failed(dataDir: string, reason: string, cause?: unknown): PgctldError {
  const message = `crash recovery of ${dataDir} failed: ${reason}`;
  return new PgctldError(PgctldErrorCode.RecoveryFailed, message, { cause });
}
