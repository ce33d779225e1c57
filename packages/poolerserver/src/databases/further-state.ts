import type { Engine } from "../execution/engine.ts";
import type { SharedAttempt } from "../shared-attempt.ts";

/**
 * A database beside the main one.
 *
 * | state   | is                                         | next                         |
 * | ------- | ------------------------------------------ | ---------------------------- |
 * | opening | its first connection is being opened       | open, or gone if that failed |
 * | open    | serves                                     | closing                      |
 * | closing | was dropped, or nobody has used it         | gone                         |
 */
export type Further =
  | { readonly state: "opening"; readonly engine: Engine; readonly attempt: SharedAttempt }
  | OpenDatabase
  | { readonly state: "closing"; readonly ended: Promise<void> };

export interface OpenDatabase {
  readonly state: "open";
  readonly engine: Engine;
  /** One that was dropped and created again is another one. */
  readonly oid: string;
  /** Sessions that are about to be opened. */
  arriving: number;
  /** On the monotonic clock; `undefined` while it is used. */
  unusedSince: number | undefined;
}

/** Whether sessions use it, or are about to. */
export function isUsed({ arriving, engine }: OpenDatabase): boolean {
  return arriving > 0 || engine.sessions.size > 0;
}
