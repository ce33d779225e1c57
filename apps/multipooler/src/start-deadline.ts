import type { MultiPoolerManager } from "@multipooler/manager";
import { systemClock } from "@multipooler/timing";

/**
 * Calls `onMissed` if PostgreSQL was not reached within `ms` of the start; 0 waits forever.
 * Disposing it stops the timer.
 */
export function startDeadline(
  manager: Pick<MultiPoolerManager, "status" | "watchStatus">,
  ms: number,
  onMissed: (message: string) => void,
): Disposable {
  if (ms === 0) {
    return { [Symbol.dispose]: () => undefined };
  }
  const timer = systemClock.setTimer(() => {
    unwatch();
    const { database } = manager.status();
    const why = database.lastError ?? "no attempt has ended yet";
    onMissed(`PostgreSQL was not reached within ${ms} ms (--start-timeout): ${why}`);
  }, ms);
  const stop = (): void => {
    timer.cancel();
    unwatch();
  };
  const unwatch = manager.watchStatus(({ database }) => {
    if (database.reachable) {
      stop();
    }
  });
  return { [Symbol.dispose]: stop };
}
