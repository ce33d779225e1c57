/** The time that the pooler spends itself, which is not the server's. */
export interface PoolerTime {
  /** How long this process has waited for events so far, in milliseconds. */
  waitedMs(): number;
  /**
   * For how long at most, at `now`, an answer may have lain unread or a request unsent because the process
   * was at work.
   */
  workMs(now: number): number;
}

/**
 * The time for which a server has had something to do.
 *
 * A busy pooler reads an answer a turn of its event loop after it came, and sends a request at the end of
 * one. What is known for certain is how long the pooler had nothing to do but to wait, and how often it has
 * looked in vain: that is all but the turns at the beginning and at the end.
 */
export class ServerTime {
  #since = 0;
  #waitedMs = 0;
  #workMs = 0;

  /** When it began. */
  get since(): number {
    return this.#since;
  }

  /** The server gets something to do. */
  begin(now: number, time: PoolerTime): void {
    this.#since = now;
    this.#waitedMs = time.waitedMs();
    this.#workMs = time.workMs(now);
  }

  /** How long it has worked at least. */
  leastMs(now: number, time: PoolerTime): number {
    const looked = now - this.#since - this.#workMs - time.workMs(now);
    return Math.max(time.waitedMs() - this.#waitedMs, looked);
  }
}
