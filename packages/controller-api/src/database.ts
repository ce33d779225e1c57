/** Where a database listens. */
export type DatabaseAddress =
  | { readonly type: "socket"; readonly path: string }
  | { readonly type: "tcp"; readonly host: string; readonly port: number };

/**
 * Counts every connection that the process holds to its database, so that all components together
 * stay below what the server grants to ordinary roles.
 */
export interface ConnectionBudget {
  /** Connections that may be open at once. Changes when the server's settings do. */
  readonly limit: number;
  readonly used: number;
  /**
   * Takes one place, or returns `undefined` when none is free. Never waits, and nobody is told when
   * one comes free: others hold places too, so whoever needs one asks again after a while.
   */
  tryAcquire(): ConnectionSlot | undefined;
}

/** One place in the budget. Held from before the dial until the socket is closed. */
export interface ConnectionSlot {
  /** Gives the place back. Further calls do nothing. */
  release(): void;
}

/**
 * The database as the manager hands it to its controller: resolved settings and the budget. The
 * manager keeps owning it; the controller opens its backends from it and never dials elsewhere.
 */
export interface DatabaseHandle {
  readonly address: DatabaseAddress;
  readonly database: string;
  readonly user: string;
  /**
   * The secret for a dial, or `undefined` for trust. Ask at each dial; never keep or log it. Throws
   * where it cannot be looked up now: that dial has failed, the next one may not.
   */
  password(): string | undefined;
  /** The longest that one dial, authentication included, may take. */
  readonly dialTimeoutMs: number;
  readonly budget: ConnectionBudget;
}
