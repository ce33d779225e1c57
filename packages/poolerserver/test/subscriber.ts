import { decodeNotification } from "@multipooler/query-service";
import type {
  ChannelChange,
  Notification,
  NotificationSink,
  PoolerError,
  QueryService,
  Subscription,
} from "@multipooler/query-service";

/** A receiver of notifications that keeps them, and that a test can slow down. */
export class RecordingSubscriber implements NotificationSink {
  readonly received: Notification[] = [];
  readonly ends: PoolerError[] = [];
  readonly subscription: Subscription;
  /** While it is set, the subscriber is behind until it resolves. */
  hold: Promise<void> | undefined;
  readonly #end = Promise.withResolvers<PoolerError>();
  #waiting: { readonly count: number; readonly reached: () => void } | undefined;

  constructor(service: Pick<QueryService, "subscribe">) {
    this.subscription = service.subscribe(this);
  }

  write(message: Uint8Array): Promise<void> | undefined {
    this.received.push(decodeNotification(message));
    if (this.#waiting !== undefined && this.received.length >= this.#waiting.count) {
      this.#waiting.reached();
    }
    return this.hold;
  }

  ended(reason: PoolerError): void {
    this.ends.push(reason);
    this.#end.resolve(reason);
  }

  /** Why the subscription has ended, once it has. */
  get end(): Promise<PoolerError> {
    return this.#end.promise;
  }

  get payloads(): string[] {
    return this.received.map(({ payload }) => payload);
  }

  /** Waits until so many have come. */
  async until(count: number): Promise<void> {
    if (this.received.length < count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting = { count, reached: resolve };
      await promise;
    }
  }

  async subscribe(...channels: string[]): Promise<void> {
    await this.subscription.change(changeOf({ subscribe: channels }));
  }

  async unsubscribe(...channels: string[]): Promise<void> {
    await this.subscription.change(changeOf({ unsubscribe: channels }));
  }
}

/** A change of channels; what is left out changes nothing. */
export function changeOf(change: Partial<ChannelChange>): ChannelChange {
  return { unsubscribeAll: false, unsubscribe: [], subscribe: [], ...change };
}
