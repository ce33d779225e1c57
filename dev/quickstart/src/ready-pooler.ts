import { QuickstartError } from "./error.ts";
import type { Ports } from "./options.ts";
import type { PoolerLog } from "./pooler-log.ts";
import type { Pooler } from "./pooler.ts";
import { isLasting, untilReady } from "./probe.ts";

const READY_DEADLINE_MS = 60_000;

/**
 * Waits until a pooler serves. Rejects with the signal's reason, and with a `QuickstartError`
 * `pooler-ended` or `not-ready` in the pooler's words.
 */
export async function becomesReady(
  pooler: Pooler,
  ports: Ports,
  { log, signal }: { log: PoolerLog; signal: AbortSignal },
): Promise<void> {
  const giveUp = new AbortController();
  void pooler.ended.then((how) => giveUp.abort(how));
  const deadline = AbortSignal.timeout(READY_DEADLINE_MS);
  const answer = await untilReady(true, ports.http, {
    signal: AbortSignal.any([signal, deadline, giveUp.signal]),
  });
  if (answer?.ready === true) {
    return;
  }
  signal.throwIfAborted();
  if (giveUp.signal.aborted) {
    throw new QuickstartError(
      "pooler-ended",
      log.last ?? `the pooler ended ${String(giveUp.signal.reason)}`,
    );
  }
  const reason = answer?.reason ?? log.last ?? "it says nothing";
  const what =
    answer !== undefined && isLasting(answer)
      ? "the pooler does not serve"
      : `the pooler was not ready within ${READY_DEADLINE_MS / 1000} s`;
  throw new QuickstartError("not-ready", `${what}: ${reason}`);
}
