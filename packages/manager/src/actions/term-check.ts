/** Decides whether a caller's term still counts. */
export interface TermCheck {
  /**
   * A request names this term: a primary of an older one admits no more writes from now on, whatever comes
   * of the request. A pooler without a term goes on as the topology says.
   */
  hear(term: bigint): void;
  /**
   * Resolves when the term is the current one, or newer: then it is adopted and on disk. Rejects with
   * FAILED_PRECONDITION for a stale one, and while no term is known.
   *
   * @param force why the terms are not to be looked at, for the log; `undefined`: they are.
   */
  require(term: bigint, force: string | undefined): Promise<void>;
}
