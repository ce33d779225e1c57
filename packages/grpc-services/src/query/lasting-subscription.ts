import { PoolerErrorCode } from "@multipooler/query-service";
import type {
  CallOptions,
  ChannelChange,
  NotificationSink,
  PoolerError,
  Subscription,
} from "@multipooler/query-service";
import { Backoff, sleep, untilAborted } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { isPoolerError } from "../errors/pooler-error.ts";

/** A pooler that is away for long is asked every few seconds. */
const RETRY = { minMs: 100, maxMs: 5000 } as const;

export interface LastingSubscriptionOptions {
  /** Opens a subscription. Throws as `QueryService.subscribe` does. */
  readonly open: (sink: NotificationSink) => Subscription;
  /** Whether a pooler that does not serve is going to again, so that it is worth waiting. */
  readonly isComingBack: () => boolean;
  readonly sink: NotificationSink;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/**
 * A subscription that outlives the connection that listens: when that breaks, it subscribes to the
 * same channels again until it succeeds. What is notified meanwhile is lost. Multigres' gateway needs
 * this: it does not come back to a stream that has ended before its client says LISTEN the next time.
 */
export class LastingSubscription implements Subscription {
  readonly #options: LastingSubscriptionOptions;
  readonly #ending = new AbortController();
  readonly #backoff: Backoff;
  /** What was confirmed. */
  readonly #channels = new Set<string>();
  /** Rejects with what cannot be waited out. */
  #current: Promise<Subscription>;

  /** @throws as `open` does, unless the pooler is coming back */
  constructor(options: LastingSubscriptionOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ ...RETRY, random: options.random });
    this.#current = this.#follow(this.#first());
  }

  async change(change: ChannelChange, { signal }: CallOptions = {}): Promise<void> {
    for (;;) {
      const current = this.#current;
      const subscription = await untilAborted(current, signal);
      try {
        await subscription.change(change, { signal });
        this.#remember(change);
        return;
      } catch (error) {
        // One that was lost meanwhile is followed by another.
        if (this.#current === current) {
          throw error;
        }
      }
    }
  }

  end(): void {
    this.#ending.abort();
    this.#current.then(
      (subscription) => subscription.end(),
      () => undefined,
    );
  }

  #first(): Promise<Subscription> {
    try {
      return Promise.resolve(this.#open().begin());
    } catch (error) {
      if (this.#isPassing(error)) {
        return this.#again();
      }
      throw error;
    }
  }

  /** What happens to it before `begin` is for who opens it. */
  #open(): { readonly subscription: Subscription; readonly begin: () => Subscription } {
    const { open, sink } = this.#options;
    let lost: PoolerError | undefined;
    let hasBegun = false;
    const subscription = open({
      write: (message) => sink.write(message),
      ended: (reason) => {
        lost = reason;
        if (hasBegun) {
          this.#onEnded(reason);
        }
      },
    });
    const begin = (): Subscription => {
      if (lost !== undefined) {
        throw lost;
      }
      hasBegun = true;
      return subscription;
    };
    return { subscription, begin };
  }

  #onEnded(reason: PoolerError): void {
    if (this.#ending.signal.aborted) {
      return;
    }
    if (this.#isPassing(reason)) {
      this.#current = this.#follow(this.#again());
    } else {
      this.#options.sink.ended(reason);
    }
  }

  /** Tells when it cannot be had at all. */
  #follow(next: Promise<Subscription>): Promise<Subscription> {
    next.catch((error: unknown) => {
      if (!this.#ending.signal.aborted && isPoolerError(error)) {
        this.#options.sink.ended(error);
      }
    });
    return next;
  }

  /** Subscribes to the same channels again. Rejects with what does not pass, or at the end. */
  async #again(): Promise<Subscription> {
    const { signal } = this.#ending;
    for (;;) {
      await sleep(this.#options.clock, this.#backoff.nextMs(), signal);
      signal.throwIfAborted();
      try {
        return await this.#restore(signal);
      } catch (error) {
        if (signal.aborted || !this.#isPassing(error)) {
          throw error;
        }
      }
    }
  }

  async #restore(signal: AbortSignal): Promise<Subscription> {
    const { subscription, begin } = this.#open();
    try {
      const subscribe = [...this.#channels];
      const change = { unsubscribeAll: false, unsubscribe: [], subscribe };
      await untilAborted(subscription.change(change, { signal }), signal);
      this.#backoff.reset();
      return begin();
    } catch (error) {
      subscription.end();
      throw error;
    }
  }

  #isPassing(error: unknown): boolean {
    if (!isPoolerError(error)) {
      return false;
    }
    switch (error.code) {
      case PoolerErrorCode.ConnectionLost:
      case PoolerErrorCode.PreExecutionUnavailable:
      case PoolerErrorCode.PoolExhausted:
        return true;
      case PoolerErrorCode.NotServing:
      case PoolerErrorCode.NotOpen:
        return this.#options.isComingBack();
      default:
        return false;
    }
  }

  #remember({ unsubscribeAll, unsubscribe, subscribe }: ChannelChange): void {
    if (unsubscribeAll) {
      this.#channels.clear();
    }
    for (const channel of unsubscribe) {
      this.#channels.delete(channel);
    }
    for (const channel of subscribe) {
      this.#channels.add(channel);
    }
  }
}
