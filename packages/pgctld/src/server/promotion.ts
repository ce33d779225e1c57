import { rm } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { readControlFile } from "../directory/control-file.ts";
import { writeAsServer } from "../directory/server-file.ts";
import { PgctldError, PgctldErrorCode, throwIfAborted } from "../error.ts";
import { isServerProcess, sendSignal } from "./processes.ts";

const PROMOTE_FILE = "promote";
const POLL_MS = 20;

/** Which standby to promote. */
export interface PromotionPlan {
  readonly pid: number;
  readonly dataDir: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/**
 * Promotes a standby and waits until it takes writes, as `pg_ctl promote` does: without a login.
 * Rejects with PROMOTION_FAILED, or with CANCELLED after an abort: then the server may still promote.
 */
export async function promoteServer(
  { pid, dataDir, timeoutMs, clock }: PromotionPlan,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  await writeAsServer(dataDir, PROMOTE_FILE, "");
  sendSignal(pid, "SIGUSR1");
  const until = clock.monotonic() + timeoutMs;
  while ((await readControlFile(dataDir)).state !== "in production") {
    throwIfAborted(signal, "the promotion");
    if (!(await isServerProcess(pid, dataDir))) {
      throw await failed(dataDir, "the server ended");
    }
    if (clock.monotonic() >= until) {
      throw await failed(dataDir, `it is no primary after ${timeoutMs} ms`);
    }
    await sleep(clock, POLL_MS, signal);
  }
}

/** A server that has not read the file is not to promote at some later signal. */
async function failed(dataDir: string, reason: string): Promise<PgctldError> {
  await rm(join(dataDir, PROMOTE_FILE), { force: true });
  return new PgctldError(PgctldErrorCode.PromotionFailed, `${dataDir} is not promoted: ${reason}`);
}
