import type { TaintSet } from "../classification/taint.ts";
import type { HeldStatements } from "../statements/held-statements.ts";
import type { Backend, BackendEnd } from "./backend.ts";
import type { LabelSettings } from "./label-settings.ts";

/** What the holder of a backend is told between two of its requests. Neither may throw. */
export interface BackendWatcher {
  readonly onEnded: (end: BackendEnd) => void;
  /** A notification, a notice, or a setting that was reported. */
  readonly onUnasked: (message: Uint8Array) => void;
}

/** A backend that was granted to a unit. It is given back exactly once; later calls do nothing. */
export interface Lease {
  readonly backend: Backend;
  /** What the backend has prepared for the registry. */
  readonly statements: HeldStatements;
  /** Has `watcher` told what happens between two requests, while the backend is held. */
  watch(watcher: BackendWatcher): void;
  /**
   * Adds to what is left in the session; to be called before it is given back. After `Taint.State`
   * prepared statements of the registry may be gone: a holder that goes on says it at once.
   */
  taint(taint: TaintSet): void;
  /** The settings that the backend has, as far as the pool knows. */
  readonly settings: LabelSettings;
  /** The holder has brought the backend to these settings by statements of its own. */
  noteSettings(settings: LabelSettings): void;
  /**
   * Has the backend get these settings ahead of its next request. To be called while nothing is in
   * flight and no transaction is open.
   */
  want(settings: LabelSettings): void;
  /**
   * Gives the backend back: nothing of the holder is in flight. What is left in it is taken away
   * before somebody else gets it, a transaction included if there is any taint; otherwise a backend
   * in a transaction is closed. A promise, which never rejects, resolves when that is over.
   */
  release(): Promise<void> | undefined;
  /** Ends the backend, because its state is not known; cuts it if something is in flight. */
  discard(reason: unknown): void;
}
