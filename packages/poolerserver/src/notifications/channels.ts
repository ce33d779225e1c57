import { quoteIdentifier } from "@multipooler/pgwire";
import type { ChannelChange } from "@multipooler/query-service";
import type { Subscriber } from "./subscriber.ts";

/**
 * Who gets the notifications of which channel, and which channels the server has been told of. The
 * server listens to a channel from before its first subscriber counts until after the last one left.
 */
export class Channels {
  readonly #subscribers = new Map<string, Set<Subscriber>>();
  /** Those that the server listens to. */
  readonly #listened = new Set<string>();
  /** Those of them that nobody subscribes to any more. */
  readonly #unused = new Set<string>();

  /** Whether anybody subscribes to any. */
  get isUsed(): boolean {
    return this.#subscribers.size > 0;
  }

  /** Those that somebody subscribes to. */
  get size(): number {
    return this.#subscribers.size;
  }

  /** Whether the server listens to some that nobody subscribes to. */
  get hasUnused(): boolean {
    return this.#unused.size > 0;
  }

  subscribersOf(channel: string): Iterable<Subscriber> {
    return this.#subscribers.get(channel) ?? [];
  }

  /** What the server is to do before `changes` count. Empty: nothing, it has to answer only. */
  preparation(changes: readonly Pick<ChannelChange, "subscribe">[]): ServerChange {
    const wanted = new Set(changes.flatMap(({ subscribe }) => subscribe));
    const listen = [...wanted].filter((channel) => !this.#listened.has(channel));
    const unlisten = [...this.#unused].filter((channel) => !wanted.has(channel));
    return { listen, unlisten };
  }

  /** The server has done so. */
  prepared({ listen, unlisten }: ServerChange): void {
    for (const channel of listen) {
      this.#listened.add(channel);
      this.#noteUse(channel);
    }
    for (const channel of unlisten) {
      // Somebody may subscribe to it again only after the next preparation.
      this.#listened.delete(channel);
      this.#unused.delete(channel);
    }
  }

  /** Changes the channels of `subscriber`; the server is prepared for it. */
  apply(subscriber: Subscriber, change: ChannelChange): void {
    const left = change.unsubscribeAll ? [...subscriber.channels] : change.unsubscribe;
    for (const channel of left) {
      this.#leave(subscriber, channel);
    }
    for (const channel of change.subscribe) {
      this.#join(subscriber, channel);
    }
  }

  /** The subscriber has ended. */
  remove(subscriber: Subscriber): void {
    for (const channel of subscriber.channels) {
      this.#leave(subscriber, channel);
    }
  }

  /** The server listens to none any more. Returns those who subscribed to some. */
  clear(): Set<Subscriber> {
    const subscribers = new Set([...this.#subscribers.values()].flatMap((those) => [...those]));
    this.#subscribers.clear();
    this.#listened.clear();
    this.#unused.clear();
    return subscribers;
  }

  #join(subscriber: Subscriber, channel: string): void {
    subscriber.channels.add(channel);
    const those = this.#subscribers.get(channel);
    if (those === undefined) {
      this.#subscribers.set(channel, new Set([subscriber]));
    } else {
      those.add(subscriber);
    }
    this.#noteUse(channel);
  }

  #leave(subscriber: Subscriber, channel: string): void {
    subscriber.channels.delete(channel);
    const those = this.#subscribers.get(channel);
    those?.delete(subscriber);
    if (those?.size === 0) {
      this.#subscribers.delete(channel);
      this.#noteUse(channel);
    }
  }

  #noteUse(channel: string): void {
    if (this.#subscribers.has(channel) || !this.#listened.has(channel)) {
      this.#unused.delete(channel);
    } else {
      this.#unused.add(channel);
    }
  }
}

/** Channels that the server is to begin to listen to, and to leave. */
export interface ServerChange {
  readonly listen: readonly string[];
  readonly unlisten: readonly string[];
}

/** The statements for a change, which take effect together. */
export function serverChangeText({ listen, unlisten }: ServerChange): string {
  return [
    ...listen.map((channel) => `LISTEN ${quoteIdentifier(channel)}`),
    ...unlisten.map((channel) => `UNLISTEN ${quoteIdentifier(channel)}`),
  ].join("; ");
}
