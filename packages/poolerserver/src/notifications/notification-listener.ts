import { PoolerErrorCode } from "@multipooler/query-service";
import type { ChannelChange, NotificationSink, Subscription } from "@multipooler/query-service";
import { Deadline, untilAborted } from "@multipooler/timing";
import { MultiPoolerError, abortError } from "../error.ts";
import { namedChannels } from "./channel-name.ts";
import { noRoomError } from "./listener-dial.ts";
import { ListenerLink } from "./listener-link.ts";
import type { ListenerLinkOptions } from "./listener-link.ts";
import { PendingChange } from "./pending-change.ts";
import { Subscriber } from "./subscriber.ts";

/** How many listen for notifications. */
export interface ListenerReport {
  /** Channels that somebody subscribes to. */
  readonly channels: number;
  readonly subscribers: number;
}

/** How long a change waits to be confirmed. Multigres' gateway waits for 10 s. */
const CONFIRM_TIMEOUT_MS = 8000;

export interface NotificationListenerOptions extends ListenerLinkOptions {
  /** Connections that the pooler may open. */
  readonly capacity: number;
  /** What is kept for one subscriber that is behind, at most. */
  readonly maxNotificationBytes: number;
  /** `server_encoding`, as far as it is known. */
  readonly serverEncoding: () => string | undefined;
  /** @throws NOT_SERVING while nobody may listen */
  readonly admit: () => void;
}

/**
 * Listens on behalf of any number of subscribers, over one connection: see {@link ListenerLink}.
 *
 * When that breaks, something may be missed: everybody who subscribes to a channel is told so by the
 * end of the subscription, and the next change opens another connection.
 */
export class NotificationListener {
  readonly #options: NotificationListenerOptions;
  readonly #link: ListenerLink;
  readonly #subscribers = new Set<Subscriber>();
  #isClosed = false;

  constructor(options: NotificationListenerOptions) {
    this.#options = options;
    this.#link = new ListenerLink(options);
  }

  get maxNotificationBytes(): number {
    return this.#options.maxNotificationBytes;
  }

  /** See `QueryService.subscribe`. */
  subscribe(sink: NotificationSink): Subscription {
    if (this.#isClosed) {
      throw closedError();
    }
    this.#options.admit();
    if (this.#options.capacity < 2) {
      throw noRoomError();
    }
    const subscriber = new Subscriber({
      sink,
      maxKeptBytes: this.#options.maxNotificationBytes,
      change: (who, change, signal) => this.#change(who, change, signal),
      onDropped: (count) => this.#options.onEvent?.({ type: "notificationsDropped", count }),
      onEnded: (who, reason) => this.#onEnded(who, reason),
    });
    this.#subscribers.add(subscriber);
    return subscriber;
  }

  report(): ListenerReport {
    return { channels: this.#link.channels, subscribers: this.#subscribers.size };
  }

  /** Ends every subscription with `reason`, and the connection. New ones may come. */
  stop(reason: MultiPoolerError): void {
    this.#link.reset(reason);
    for (const subscriber of this.#subscribers) {
      subscriber.fail(reason);
    }
  }

  /** Ends everything. Idempotent; never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.stop(closedError());
    await this.#link.close(closedError());
  }

  async #change(
    subscriber: Subscriber,
    change: ChannelChange,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (subscriber.endReason !== undefined) {
      throw subscriber.endReason;
    }
    if (signal?.aborted === true) {
      throw abortError(signal);
    }
    const encoding = this.#options.serverEncoding();
    const pending = new PendingChange(subscriber, namedChannels(change, encoding));
    using deadline = new Deadline({
      clock: this.#options.clock,
      ms: CONFIRM_TIMEOUT_MS,
      what: "the database to confirm the channels",
      signal,
    });
    subscriber.pending.add(pending);
    this.#link.submit(pending);
    try {
      await untilAborted(pending.settled, deadline.signal);
    } catch (error) {
      const { obstacle } = this.#link;
      this.#link.withdraw(pending);
      const isAborted = deadline.signal.aborted && error === deadline.signal.reason;
      throw isAborted ? (callerError(signal) ?? unconfirmedError(error, obstacle)) : error;
    } finally {
      subscriber.pending.delete(pending);
    }
  }

  #onEnded(subscriber: Subscriber, reason: MultiPoolerError): void {
    this.#subscribers.delete(subscriber);
    for (const pending of subscriber.pending) {
      this.#link.withdraw(pending);
      pending.refuse(reason);
    }
    this.#link.remove(subscriber);
  }
}

function callerError(signal: AbortSignal | undefined): MultiPoolerError | undefined {
  return signal?.aborted === true ? abortError(signal) : undefined;
}

/** The change took too long: because of `obstacle`, if there is one. */
function unconfirmedError(
  cause: unknown,
  obstacle: MultiPoolerError | undefined,
): MultiPoolerError {
  if (obstacle !== undefined) {
    return obstacle;
  }
  return new MultiPoolerError(
    PoolerErrorCode.PreExecutionUnavailable,
    `the database did not confirm the channels within ${CONFIRM_TIMEOUT_MS} ms`,
    { cause },
  );
}

function closedError(): MultiPoolerError {
  return new MultiPoolerError(PoolerErrorCode.NotOpen, "the controller closes");
}
