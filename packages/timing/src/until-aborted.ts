import { onAbort } from "./on-abort.ts";

/**
 * Settles as `promise` does, or rejects with the signal's reason as soon as it aborts; where both
 * have happened, the abort wins. Leaves no listener on the signal. A value that `promise` yields
 * after the abort goes to `giveBack`; a late failure is dropped.
 */
export async function untilAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  giveBack?: (late: T) => void,
): Promise<T> {
  if (signal === undefined) {
    return await promise;
  }
  const aborted = Promise.withResolvers<never>();
  const release = onAbort(signal, ({ reason }) => aborted.reject(reason));
  try {
    return await Promise.race([aborted.promise, promise]);
  } catch (error) {
    if (signal.aborted) {
      promise.then(giveBack, () => undefined);
    }
    throw error;
  } finally {
    release();
  }
}
