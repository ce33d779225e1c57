import type { Abortable } from "./key-value.ts";

export interface SessionOptions extends Abortable {
  /**
   * How long the server keeps the session after the last sign of life of its holder, in
   * milliseconds. Default 30,000. A server may round it up to whole seconds.
   */
  readonly ttlMs?: number | undefined;
}

/**
 * A lease that is kept alive in the background, and the keys that live as long as it does.
 * Modelled on the session of etcd's concurrency package.
 */
export interface Session {
  /** The number of the lease, unique within its server. */
  readonly id: bigint;
  /**
   * Aborts when the session has ended: with a SESSION_LOST error where the lease expired or
   * could not be confirmed within its time to live, with INTERRUPTED after `orphan` or `close`.
   * A holder must then stop the work that the session protected.
   */
  readonly signal: AbortSignal;
  /** Stops keeping the lease alive without revoking it: its keys stay until the lease expires. */
  orphan(): void;
  /** Revokes the lease, which deletes its keys. Idempotent. */
  close(options?: Abortable): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
