import type { Backend } from "./backend.ts";

/**
 * What a request left in its session.
 *
 * | taint   | is                                                   | the backend                           |
 * | ------- | ---------------------------------------------------- | ------------------------------------- |
 * | state   | settings, locks, temporary tables, a transaction, …  | is cleaned before another one gets it |
 * | lasting | a random seed, a library, a temporary slot, …        | is closed                             |
 */
export type Taint = "state" | "lasting";

/** A backend that was granted to a {@link Unit}. It is given back exactly once; later calls do nothing. */
export interface Lease {
  readonly backend: Backend;
  /** Says what is left in the session; to be called before it is given back. */
  taint(taint: Taint): void;
  /**
   * Gives the backend back: nothing of the holder is in flight. A promise says that it is being
   * cleaned or ended first, and resolves when that is over; it never rejects.
   */
  release(): Promise<void> | undefined;
  /** Ends the backend, because its state is not known; cuts it if something is in flight. */
  discard(reason: unknown): void;
}
