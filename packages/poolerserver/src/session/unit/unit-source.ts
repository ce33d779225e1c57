import type { MultiPoolerError } from "../../error.ts";
import type { UnitCutter } from "../input/unit-cutter.ts";

/**
 * How a unit ended.
 *
 * | end     | means                                                                               |
 * | ------- | ----------------------------------------------------------------------------------- |
 * | ready   | its answer was passed on, ReadyForQuery included                                    |
 * | refused | it got no backend                                                                   |
 * | lost    | its backend is gone. `isFatal`: with something that the client relies on, or amid an answer |
 */
export type UnitEnd =
  | { readonly type: "ready" }
  | { readonly type: "refused"; readonly error: MultiPoolerError }
  | { readonly type: "lost"; readonly error: MultiPoolerError; readonly isFatal: boolean };

/**
 * | phase   | meaning                                                             | next          |
 * | ------- | ------------------------------------------------------------------- | ------------- |
 * | none    | no unit, or one that has ended                                      | queued, running, asking |
 * | queued  | waits for a backend                                                 | running, none |
 * | running | is on its backend                                                   | asking, queued, none |
 * | asking  | is answered, perhaps long ago; the backend is asked which settings the session has now, and what of it is left | none |
 */
export type UnitPhase = "none" | "queued" | "running" | "asking";

/** Where the units of a session come from, and where their answers go. None of these may throw. */
export interface UnitSource {
  readonly cutter: UnitCutter;
  /** The next bytes of the answer. False: the client is behind. */
  answered(bytes: Uint8Array): boolean;
  ended(end: UnitEnd): void;
  /** What came between two units. */
  unasked(message: Uint8Array): void;
  /** More of an open unit may be sent. */
  goOn(): void;
}
