import type { PoolerError } from "./error.ts";
import type { CallOptions } from "./request.ts";

/** Takes what a {@link Subscription} yields. */
export interface NotificationSink {
  /**
   * Takes one NotificationResponse message (`A`), in the order of the database, also across
   * channels. `decodeNotification` reads it. The receiver owns the bytes: they are never written to
   * again, but others may have them too.
   *
   * `undefined` means: go on. A promise means that the receiver is behind: the sink is not called
   * until that resolves, while a bounded amount is kept for it. When it throws or rejects, the
   * subscription ends with CANCELLED.
   */
  write(message: Uint8Array): Promise<void> | undefined;
  /**
   * The subscription has ended although nobody called `end`: notifications may be missing from now
   * on. Called once, and nothing is written after it. `reason` is
   *
   * - NOT_SERVING or NOT_OPEN: the pooler does not listen any more; subscribe to the primary.
   * - CONNECTION_LOST: the connection that listened broke; subscribe again, and look for what was
   *   missed.
   * - SUBSCRIBER_BEHIND: the receiver took less than came, beyond the bound that the message names.
   * - CANCELLED: the sink has failed.
   */
  ended(reason: PoolerError): void;
}

/**
 * The channels to begin with and to leave, named as PostgreSQL has them: case counts, and what is
 * longer than 63 bytes is cut off. What is left comes first. Naming a channel twice does nothing
 * more, and neither does leaving one that was not subscribed to.
 */
export interface ChannelChange {
  readonly unsubscribeAll: boolean;
  readonly unsubscribe: readonly string[];
  readonly subscribe: readonly string[];
}

/** The channels that one receiver listens to. It begins with none. */
export interface Subscription {
  /**
   * Changes the channels. Resolves when the database has confirmed it: a notification that is sent
   * on a channel of `subscribe` afterwards is delivered, and one that was sent before on a channel
   * that is left was delivered. Changes happen in the order of the calls.
   *
   * Rejects with INVALID_ARGUMENT for a name that cannot be one, and then nothing was changed; with
   * PRE_EXECUTION_UNAVAILABLE, POOL_EXHAUSTED, AUTHENTICATION_FAILED, DATABASE_ERROR or READ_ONLY
   * when the database cannot be listened to; with the reason of the end when the subscription has
   * ended; with CANCELLED or DEADLINE_EXCEEDED when the signal aborts. After all these the channels
   * of `subscribe` that are new are not subscribed to, and the others may have been left.
   */
  change(change: ChannelChange, options?: CallOptions): Promise<void>;
  /** Leaves all channels. The sink is not called any more. Idempotent. */
  end(): void;
}
