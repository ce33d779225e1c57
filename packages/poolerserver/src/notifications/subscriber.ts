import { PoolerErrorCode } from "@multipooler/query-service";
import type {
  CallOptions,
  ChannelChange,
  NotificationSink,
  Subscription,
} from "@multipooler/query-service";
import { MultiPoolerError } from "../error.ts";
import { KeptNotifications } from "./kept-notifications.ts";
import type { PendingChange } from "./pending-change.ts";

export interface SubscriberOptions {
  readonly sink: NotificationSink;
  /** Notifications that are kept while the sink is behind take at most so much. */
  readonly maxKeptBytes: number;
  /** See {@link Subscription.change}. */
  readonly change: (
    subscriber: Subscriber,
    change: ChannelChange,
    signal: AbortSignal | undefined,
  ) => Promise<void>;
  /** It was too slow for so many notifications. */
  readonly onDropped: (count: number) => void;
  /** It has ended, in whichever way. */
  readonly onEnded: (subscriber: Subscriber, reason: MultiPoolerError) => void;
}

/**
 * | state  | meaning                                                        | next          |
 * | ------ | -------------------------------------------------------------- | ------------- |
 * | ready  | the sink takes the next notification at once                   | behind, ended |
 * | behind | the sink is awaited, and what comes is kept, within a bound    | ready, ended  |
 * | ended  | nothing is written; `reason` is why, if the owner did not ask  |               |
 */
type State =
  | { readonly type: "ready" }
  | { readonly type: "behind"; readonly kept: KeptNotifications }
  | { readonly type: "ended"; readonly reason: MultiPoolerError };

/** One receiver of notifications. */
export class Subscriber implements Subscription {
  readonly #options: SubscriberOptions;
  /** Changes that are not settled. */
  readonly pending: Set<PendingChange> = new Set();
  /** What the server has confirmed. */
  readonly channels: Set<string> = new Set();
  #state: State = { type: "ready" };

  constructor(options: SubscriberOptions) {
    this.#options = options;
  }

  /** Why it has ended; `undefined` while it has not. */
  get endReason(): MultiPoolerError | undefined {
    return this.#state.type === "ended" ? this.#state.reason : undefined;
  }

  async change(change: ChannelChange, { signal }: CallOptions = {}): Promise<void> {
    await this.#options.change(this, change, signal);
  }

  end(): void {
    this.#end(
      new MultiPoolerError(PoolerErrorCode.Cancelled, "the subscription was ended by its owner"),
    );
  }

  /** Ends it, and says why. */
  fail(reason: MultiPoolerError): void {
    if (this.#end(reason)) {
      this.#options.sink.ended(reason);
    }
  }

  /** Hands one notification over, or keeps it while the sink is behind. */
  deliver(message: Uint8Array): void {
    const state = this.#state;
    switch (state.type) {
      case "ready":
        this.#write(message);
        return;
      case "behind":
        if (!state.kept.add(message)) {
          this.#options.onDropped(state.kept.size + 1);
          this.fail(behindError(this.#options.maxKeptBytes));
        }
        return;
      case "ended":
    }
  }

  #write(message: Uint8Array): void {
    const writing = this.#tryWrite(message);
    if (writing !== undefined && this.#state.type === "ready") {
      const kept = new KeptNotifications(this.#options.maxKeptBytes);
      this.#state = { type: "behind", kept };
      void this.#catchUp(writing);
    }
  }

  /** Writes what was kept, in pieces as they gather while the sink is behind. */
  async #catchUp(first: Promise<void>): Promise<void> {
    try {
      await first;
      while (this.#state.type === "behind" && !this.#state.kept.isEmpty) {
        await this.#writeKept(this.#state);
      }
    } catch (cause) {
      this.#failSink(cause);
    }
    if (this.#state.type === "behind") {
      this.#state = { type: "ready" };
    }
  }

  async #writeKept(state: Extract<State, { type: "behind" }>): Promise<void> {
    for (const message of state.kept.takeAll()) {
      if (this.#state !== state) {
        return;
      }
      state.kept.passedOn(message);
      const writing = this.#options.sink.write(message);
      if (writing !== undefined) {
        await writing;
      }
    }
  }

  #tryWrite(message: Uint8Array): Promise<void> | undefined {
    try {
      return this.#options.sink.write(message);
    } catch (cause) {
      this.#failSink(cause);
      return undefined;
    }
  }

  #failSink(cause: unknown): void {
    const message = "the receiver of notifications has failed";
    this.fail(new MultiPoolerError(PoolerErrorCode.Cancelled, message, { cause }));
  }

  #end(reason: MultiPoolerError): boolean {
    if (this.#state.type === "ended") {
      return false;
    }
    this.#state = { type: "ended", reason };
    this.#options.onEnded(this, reason);
    return true;
  }
}

/** More waits for a receiver than may be kept for it. */
export function behindError(maxKeptBytes: number): MultiPoolerError {
  return new MultiPoolerError(
    PoolerErrorCode.SubscriberBehind,
    `more than ${maxKeptBytes} bytes of notifications wait for a receiver that is behind ` +
      "(maxNotificationBytes); some are missing from now on",
  );
}
