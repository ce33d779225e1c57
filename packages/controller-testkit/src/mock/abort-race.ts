import { abortError } from "./mock-controller-error.ts";

/** Settles as `work` does, or rejects as soon as the signal aborts; `work` is not awaited then. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) {
    return await work;
  }
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(abortError(signal));
  if (signal.aborted) {
    onAbort();
  }
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([aborted, work]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    // What is not awaited any more may fail later.
    work.catch(() => undefined);
  }
}
