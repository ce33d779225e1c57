/**
 * Runs `listener` when the signal aborts, at once if it already has. Returns what takes the
 * listener off the signal again.
 */
export function onAbort(
  signal: AbortSignal | undefined,
  listener: (signal: AbortSignal) => void,
): () => void {
  if (signal === undefined) {
    return () => undefined;
  }
  if (signal.aborted) {
    listener(signal);
    return () => undefined;
  }
  const run = (): void => listener(signal);
  signal.addEventListener("abort", run, { once: true });
  return () => signal.removeEventListener("abort", run);
}
