import { PoolerErrorCode } from "@multipooler/query-service";
import type { ChannelChange } from "@multipooler/query-service";
import { MultiPoolerError } from "../error.ts";
import type { Subscriber } from "./subscriber.ts";

/** Channels of one subscriber at once; each takes memory here and in the server. */
const MAX_CHANNELS = 10_000;

/** A change of a subscriber's channels that the server has not confirmed yet. */
export class PendingChange {
  readonly subscriber: Subscriber;
  readonly change: ChannelChange;
  readonly #settled = Promise.withResolvers<void>();
  /** Nobody waits for it any more: it does not take effect. */
  isWithdrawn = false;

  /** @throws INVALID_ARGUMENT for more channels than a subscriber may have */
  constructor(subscriber: Subscriber, change: ChannelChange) {
    const kept = change.unsubscribeAll ? [] : subscriber.channels;
    const count = new Set([...kept, ...change.subscribe]).size;
    if (count > MAX_CHANNELS) {
      throw new MultiPoolerError(
        PoolerErrorCode.InvalidArgument,
        `a subscription has at most ${MAX_CHANNELS} channels, and these would be ${count}`,
      );
    }
    this.subscriber = subscriber;
    this.change = change;
  }

  /** Rejects with what {@link refuse} was called with. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  confirm(): void {
    this.#settled.resolve();
  }

  refuse(error: MultiPoolerError): void {
    this.isWithdrawn = true;
    this.#settled.reject(error);
  }
}
