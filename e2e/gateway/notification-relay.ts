import { PassThrough } from "node:stream";
import type { NotificationStreamInput, PoolerClient } from "@multipooler/grpc-services/client";
import { encodeNotification } from "@multipooler/query-service";
import { GatewayError } from "./error-words.ts";

/** What the real gateway waits for a confirmation. */
const CONFIRM_TIMEOUT_MS = 10_000;

/** LISTEN to a channel, or UNLISTEN of one or all. */
export type ChannelAction =
  | { readonly type: "listen"; readonly channel: string }
  | { readonly type: "unlisten"; readonly channel: string | undefined };

/** The channels that one client listens to, over one stream that is open while there are any. */
export class NotificationRelay {
  readonly #pooler: PoolerClient;
  readonly #onNotification: (message: Uint8Array) => void;
  readonly #channels = new Set<string>();
  #stream: { readonly requests: PassThrough; readonly caller: AbortController } | undefined;
  #confirmed = Promise.withResolvers<void>();
  /** What the transaction has asked for so far. */
  readonly #postponed: ChannelAction[] = [];

  /** `onNotification` takes a NotificationResponse. */
  constructor(pooler: PoolerClient, onNotification: (message: Uint8Array) => void) {
    this.#pooler = pooler;
    this.#onNotification = onNotification;
  }

  /** Resolves when the pooler has confirmed it. */
  async listen(channel: string): Promise<void> {
    await this.#change({ subscribeChannels: [channel] });
    this.#channels.add(channel);
  }

  /** Leaves one channel, or all. */
  async unlisten(channel: string | undefined): Promise<void> {
    if (this.#stream === undefined) {
      return;
    }
    if (channel === undefined) {
      await this.#change({ unsubscribeAll: true });
      this.#channels.clear();
    } else {
      await this.#change({ unsubscribeChannels: [channel] });
      this.#channels.delete(channel);
    }
    if (this.#channels.size === 0) {
      this.end();
    }
  }

  /** Keeps it until the end of the transaction. */
  postpone(action: ChannelAction): void {
    this.#postponed.push(action);
  }

  /** The transaction has ended: what it has asked for happens in its order, or not at all. */
  async settle({ isCommitted }: { readonly isCommitted: boolean }): Promise<void> {
    for (const action of this.#postponed.splice(0)) {
      if (isCommitted && action.type === "listen") {
        await this.listen(action.channel);
      } else if (isCommitted) {
        await this.unlisten(action.channel);
      }
    }
  }

  end(): void {
    this.#stream?.caller.abort();
    this.#stream = undefined;
  }

  async #change(request: NotificationStreamInput): Promise<void> {
    this.#confirmed = Promise.withResolvers<void>();
    this.#stream ??= this.#open();
    this.#stream.requests.write(request);
    const limit = setTimeout(() => {
      this.#confirmed.reject(new GatewayError("XX000", "notification stream ready timeout"));
    }, CONFIRM_TIMEOUT_MS);
    try {
      await this.#confirmed.promise;
    } finally {
      clearTimeout(limit);
    }
  }

  #open(): { readonly requests: PassThrough; readonly caller: AbortController } {
    const requests = new PassThrough({ objectMode: true });
    const caller = new AbortController();
    void this.#read(requests, caller.signal);
    return { requests, caller };
  }

  async #read(requests: PassThrough, signal: AbortSignal): Promise<void> {
    try {
      for await (const answer of this.#pooler.notificationStream(requests, { signal })) {
        const { notification, ready } = answer;
        if (ready) {
          this.#confirmed.resolve();
        } else if (notification !== undefined) {
          const { pid: processId, channel, payload } = notification;
          this.#onNotification(encodeNotification({ processId, channel, payload }));
        }
      }
    } catch (error) {
      this.#confirmed.reject(error);
    }
  }
}
