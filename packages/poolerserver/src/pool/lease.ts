import type { TaintSet } from "../classification/taint.ts";
import type { Backend, BackendEnd } from "./backend.ts";

/** A backend that was granted to a unit. It is given back exactly once; later calls do nothing. */
export interface Lease {
  readonly backend: Backend;
  /** Has `listener` called if the backend ends while it is held; one listener at a time. */
  watch(listener: (end: BackendEnd) => void): void;
  /** Adds to what is left in the session; to be called before it is given back. */
  taint(taint: TaintSet): void;
  /**
   * Gives the backend back: nothing of the holder is in flight. What is left in it is taken away
   * before somebody else gets it, a transaction included if there is any taint; otherwise a backend
   * in a transaction is closed. A promise, which never rejects, resolves when that is over.
   */
  release(): Promise<void> | undefined;
  /** Ends the backend, because its state is not known; cuts it if something is in flight. */
  discard(reason: unknown): void;
}
