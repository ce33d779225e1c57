/** Decides whether a caller's term still counts. */
export interface TermCheck {
  /**
   * A request names this term: a primary of an older one admits no more writes from the call on, whatever
   * comes of the request. Resolves when the term is adopted and on disk, so that a restart does not bring them
   * back; rejects with the error of the disk. A pooler without a term goes on as the topology says.
   */
  hear(term: bigint): Promise<void>;
  /**
   * Resolves when the term is the current one, or newer: then it is adopted and on disk. Rejects with
   * FAILED_PRECONDITION for a stale one, and while no term is known.
   *
   * @param force why the terms are not to be looked at, for the log; `undefined`: they are.
   */
  require(term: bigint, force: string | undefined): Promise<void>;
}
