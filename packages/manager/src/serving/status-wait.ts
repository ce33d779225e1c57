import { untilAborted } from "@multipooler/timing";
import type { ManagerStatus } from "../manager-status.ts";

/** Where the status of the pooler can be watched. */
export interface StatusSource {
  status(): ManagerStatus;
  watchStatus(listener: (status: ManagerStatus) => void): () => void;
}

/**
 * Resolves with the first status for which `holds` answers true. Rejects with what it throws, and with
 * the signal's reason.
 */
export async function untilStatus(
  source: StatusSource,
  holds: (status: ManagerStatus) => boolean,
  signal: AbortSignal | undefined,
): Promise<ManagerStatus> {
  const { promise, resolve, reject } = Promise.withResolvers<ManagerStatus>();
  const look = (status: ManagerStatus): void => {
    try {
      if (holds(status)) {
        resolve(status);
      }
    } catch (error) {
      reject(error);
    }
  };
  const unwatch = source.watchStatus(look);
  try {
    look(source.status());
    return await untilAborted(promise, signal);
  } finally {
    unwatch();
  }
}
