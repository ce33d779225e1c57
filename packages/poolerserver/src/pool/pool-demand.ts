import type { MultiPoolerError } from "../error.ts";

/** Whom a pool has sessions for. */
export interface PoolDemand {
  /** Sessions that are waited for. */
  readonly wanted: () => number;
  /** A session has become idle. */
  readonly onIdle: () => void;
  readonly onDialFailed: (error: MultiPoolerError) => void;
  /** The last session has ended, or a dial has failed that was the last. */
  readonly onEmpty: () => void;
}
