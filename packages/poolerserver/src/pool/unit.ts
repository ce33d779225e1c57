import type { MultiPoolerError } from "../error.ts";
import type { Label } from "./label.ts";
import type { Lease } from "./lease.ts";
import type { Waiting } from "./waiting.ts";

/**
 * Whether a unit shares its backend.
 *
 * | kind      | gets                                                                             |
 * | --------- | -------------------------------------------------------------------------------- |
 * | shareable | a place in the FIFO of a backend, for one request                                |
 * | mayWait   | the last place in such a FIFO: it may wait for a lock, so nothing goes behind it |
 * | exclusive | a backend of its own, until it gives that back                                   |
 */
export type UnitKind = "shareable" | "mayWait" | "exclusive";

/** One piece of work that wants a backend. It is granted one, refused or withdrawn, and once only. */
export interface Unit {
  /** The client that asks. Units of one origin are served in their order; origins take turns. */
  readonly origin: string;
  /** Bytes that it keeps in memory while it waits. */
  readonly byteLength: number;
  readonly kind: UnitKind;
  /** The session that it wants; `undefined`: one of the configured role, as it was opened. */
  readonly label?: Label | undefined;
  /** Whether it keeps its backend for a reservation; see `reservedRatio`. Default: it does not. */
  readonly reserves?: boolean | undefined;
  /** The process id by which its client knows itself, if the client has one. */
  readonly virtualPid?: number | undefined;
  /** For the queue that it waits in, or has waited in. */
  waiting?: Waiting<Unit> | undefined;
  /**
   * A backend is there. A shareable or mayWait unit sends its one request before this returns, and
   * gives the lease back when that has settled. Must not throw.
   */
  granted(lease: Lease): void;
  /** It will not get one. Must not throw. */
  refused(error: MultiPoolerError): void;
}
