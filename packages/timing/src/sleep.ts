import type { Clock } from "./clock.ts";
import { onAbort } from "./on-abort.ts";

/**
 * Resolves after `ms`, or as soon as the signal aborts: never rejects, so a caller looks at the
 * signal afterwards. Leaves no timer and no listener.
 */
export async function sleep(
  clock: Clock,
  ms: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (signal?.aborted === true) {
    return;
  }
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = clock.setTimer(resolve, ms);
  const release = onAbort(signal, () => resolve());
  await promise;
  timer.cancel();
  release();
}
