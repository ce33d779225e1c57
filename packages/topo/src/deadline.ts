import type { Clock } from "./clock.ts";

/** A bound for some work. */
export interface DeadlineOptions {
  readonly ms: number;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `work` with a signal that aborts with the caller's and, with a `TimeoutError`, when the
 * deadline passes. Nothing is left of the deadline once the work has ended.
 */
export async function withDeadline<T>(
  { ms, clock, signal }: DeadlineOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = new AbortController();
  const done = new AbortController();
  void clock.sleep(ms, done.signal).then(() => {
    if (!done.signal.aborted) {
      deadline.abort(new DOMException(`not done within ${ms} ms`, "TimeoutError"));
    }
  });
  try {
    return await work(
      signal === undefined ? deadline.signal : AbortSignal.any([signal, deadline.signal]),
    );
  } finally {
    done.abort();
  }
}
