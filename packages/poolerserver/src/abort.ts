import { untilAborted as raceAbort } from "@multipooler/timing";
import { abortError } from "./error.ts";

/** As in `@multipooler/timing`, but an abort rejects with what {@link abortError} makes of it. */
export async function untilAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  try {
    return await raceAbort(promise, signal);
  } catch (error) {
    throw signal?.aborted === true && error === signal.reason ? abortError(signal) : error;
  }
}
