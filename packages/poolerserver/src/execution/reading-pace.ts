/** Reading takes a tenth of the time at most: so many times its own duration is between two. */
const REST_RATIO = 9;
/** Nothing rests longer. */
const MAX_REST_MS = 10_000;

/**
 * Spaces readings by what they take. The first two of a burst come at once, since a change is read when
 * it is sent and when it is done; times are on the monotonic clock.
 */
export class ReadingPace {
  /** Time of readings for which nothing has rested yet. */
  #debtMs = 0;
  #endedAt = 0;
  #restUntil = 0;

  /** When the next reading may begin. */
  get restUntil(): number {
    return this.#restUntil;
  }

  /** Something was read. */
  note({ startedAt, endedAt }: { readonly startedAt: number; readonly endedAt: number }): void {
    const durationMs = endedAt - startedAt;
    const restedMs = Math.max(0, startedAt - this.#endedAt);
    const debtMs = Math.max(0, this.#debtMs - restedMs / REST_RATIO);
    this.#restUntil = endedAt + Math.min(debtMs * REST_RATIO, MAX_REST_MS);
    this.#debtMs = debtMs + durationMs;
    this.#endedAt = endedAt;
  }
}
