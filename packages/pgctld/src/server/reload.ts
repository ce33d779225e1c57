import { sleep } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { PgctldError, PgctldErrorCode, throwIfAborted } from "../error.ts";
import { sendSignal } from "./processes.ts";
import { askReadiness } from "./readiness.ts";
import type { ReadinessQuestion } from "./readiness.ts";
import type { ServerLog } from "./server-log.ts";

const POLL_MS = 20;
const RECEIVED = /received SIGHUP, reloading configuration files/;
const REJECTED = /contains errors|was not reloaded/;

/** Which server to tell. */
export interface ReloadPlan {
  readonly pid: number;
  readonly log: ServerLog;
  /** How to ask the server anything, for it answers in order. */
  readonly question: ReadinessQuestion;
  /** A server whose log does not say so is believed to have reloaded after this time. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/**
 * Has a server read its configuration again, and waits until it has. Rejects with
 * CONFIGURATION_REJECTED, with the server's words, when there are errors in it: then what is right
 * is in use, and the rest is as before.
 */
export async function reloadServer(
  { pid, log, question, timeoutMs, clock }: ReloadPlan,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const mark = await log.mark();
  if (!sendSignal(pid, "SIGHUP")) {
    throw new PgctldError(PgctldErrorCode.NotRunning, "PostgreSQL has ended in the meantime");
  }
  const until = clock.monotonic() + timeoutMs;
  while (!(await log.since(mark)).some((line) => RECEIVED.test(line))) {
    throwIfAborted(signal, "the wait for the configuration to be read");
    if (clock.monotonic() >= until) {
      return; // Its `log_min_messages` may be `fatal`.
    }
    await sleep(clock, POLL_MS, signal);
  }
  // The process that reads the configuration also accepts connections: an answer says that it is done.
  await askReadiness(question, { signal });
  const lines = await log.since(mark);
  const from = lines.findIndex((line) => RECEIVED.test(line));
  const behind = lines.slice(from + 1);
  if (behind.some((line) => REJECTED.test(line))) {
    const words = behind.map((line) => line.replace(/^.*?\b(LOG|CONTEXT): +/, "").trim());
    throw new PgctldError(
      PgctldErrorCode.ConfigurationRejected,
      `PostgreSQL does not take all of its configuration: ${words.join("; ")}`,
    );
  }
}
