import { Event_EventType, WatchCreateRequest } from "@multipooler/proto/etcd";
import type { Event, WatchRequest } from "@multipooler/proto/etcd";
import { Backoff, sleep } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { TopoError, TopoErrorCode, isPermanent } from "../error.ts";
import type { KeyValue, Version } from "../key-value.ts";
import type { WatchFeed } from "../watch-feed.ts";
import type { EtcdClient } from "./etcd-client.ts";
import { callError } from "./etcd-error.ts";
import { keyValueOf } from "./etcd-key-value.ts";
import { prefixRange } from "./key-range.ts";
import { procedures } from "./procedures.ts";

export interface EtcdWatchOptions {
  readonly client: EtcdClient;
  readonly prefix: string;
  readonly feed: WatchFeed;
  /** Reads every key under the prefix, with the revision of the reading. */
  readonly read: (signal: AbortSignal) => Promise<Snapshot>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/** Keys as of one revision. */
export interface Snapshot {
  readonly entries: readonly KeyValue[];
  readonly revision: Version;
}

/** Feeds one watch. */
export class EtcdWatch {
  readonly #options: EtcdWatchOptions;
  readonly #backoff: Backoff;

  constructor(options: EtcdWatchOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ minMs: 50, maxMs: 2000, random: options.random });
  }

  /**
   * Feeds until the signal aborts: a snapshot, then the changes from the next revision on. After
   * each disconnection it begins with a snapshot again, since a server that lost its data, or got
   * older ones back, may have counted past the last revision by then and would not show it.
   */
  async follow(): Promise<void> {
    const { prefix, feed, clock, signal } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#tellChanges(await this.#tellSnapshot());
        await sleep(clock, this.#backoff.nextMs(), signal);
      } catch (error) {
        if (signal.aborted) {
          return;
        }
        const failure = callError(prefix, error, signal);
        if (isPermanent(failure)) {
          feed.fail(failure);
          return;
        }
        feed.interrupt(failure);
        await sleep(clock, this.#backoff.nextMs(), signal);
      }
    }
  }

  async #tellSnapshot(): Promise<Version> {
    const { feed, read, signal } = this.#options;
    const { entries, revision } = await read(signal);
    feed.reset(entries);
    return revision + 1n;
  }

  /** Resolves where only a snapshot helps; otherwise ends by failing. */
  async #tellChanges(from: Version): Promise<void> {
    const { client, prefix, feed, signal } = this.#options;
    const request = createRequest(prefix, from);
    const answers = client.converse(procedures.watch, request, { key: prefix, signal });
    for await (const answer of answers) {
      const { header, created, canceled, compactRevision, cancelReason, events } = answer;
      if (canceled) {
        if (compactRevision > 0n) {
          return;
        }
        throw unavailable(prefix, `etcd ended the watch: ${cancelReason}`);
      }
      if (created) {
        // A server whose data was lost or put back would be silent until it has caught up.
        if ((header?.revision ?? 0n) + 1n < from) {
          return;
        }
        this.#backoff.reset();
        feed.resume();
      }
      for (const event of events) {
        tell(feed, event);
      }
    }
    throw unavailable(prefix, "etcd ended the stream of the watch");
  }
}

function tell(feed: WatchFeed, { type, kv }: Event): void {
  if (kv === undefined) {
    return;
  }
  const entry = keyValueOf(kv);
  if (type === Event_EventType.DELETE) {
    feed.remove(entry.key);
  } else {
    feed.put(entry);
  }
}

function createRequest(prefix: string, startRevision: Version): WatchRequest {
  const value = WatchCreateRequest.create({ ...prefixRange(prefix), startRevision });
  return { requestUnion: { $case: "createRequest", value } };
}

function unavailable(key: string, message: string): TopoError {
  return new TopoError({ code: TopoErrorCode.Unavailable, key, message });
}
