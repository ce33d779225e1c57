import type { Backend } from "./backend.ts";

/** A session that the holder has to itself until it calls one of the two; later calls do nothing. */
export interface Lease {
  readonly backend: Backend;
  /** Gives it back for others: nothing is in flight, and the session is as it was. */
  release(): void;
  /** Has it ended, because its state is not what it was; cuts it if something is in flight. */
  discard(reason: unknown): void;
}
