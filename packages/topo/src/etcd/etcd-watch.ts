import type { ClientDuplexStream } from "@grpc/grpc-js";
import { Event_EventType, WatchCreateRequest } from "@multipooler/proto/etcd";
import type { Event, WatchRequest, WatchResponse } from "@multipooler/proto/etcd";
import { Backoff } from "../backoff.ts";
import type { Clock } from "../clock.ts";
import { TopoError, TopoErrorCode, isTopoError } from "../error.ts";
import type { KeyValue } from "../key-value.ts";
import type { WatchFeed } from "../watch-feed.ts";
import type { EtcdClient } from "./etcd-client.ts";
import { callError } from "./etcd-error.ts";
import { keyValueOf } from "./etcd-key-value.ts";
import { prefixRange } from "./key-range.ts";
import { procedures } from "./procedures.ts";

/** What a watch is made of. */
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
  readonly revision: bigint;
}

/**
 * Feeds a watch until its signal aborts: first a snapshot, then the changes from the next revision
 * on. After a disconnection it goes on at the revision after the last change it was told, and where
 * the server has forgotten that one, with a new snapshot.
 */
export async function followEtcd(options: EtcdWatchOptions): Promise<void> {
  const { client, prefix, feed, read, clock, random, signal } = options;
  const backoff = new Backoff({ minMs: 50, maxMs: 2000, clock, random });
  const position: Position = { next: undefined };
  while (!signal.aborted) {
    try {
      if (position.next === undefined) {
        const { entries, revision } = await read(signal);
        feed.reset(entries);
        position.next = revision + 1n;
      }
      const { stream, onError } = await client.open(procedures.watch, { key: prefix, signal });
      await tellChanges({ stream, onError, position, feed, prefix, signal, backoff });
    } catch (error) {
      if (signal.aborted) return;
      const failure = callError(prefix, error, signal);
      if (isTopoError(failure, ...incurable)) {
        feed.fail(failure);
        return;
      }
      feed.interrupt(failure);
      await backoff.wait(signal);
    }
  }
}

/** What trying again does not cure. */
const incurable = [
  TopoErrorCode.Denied,
  TopoErrorCode.InvalidArgument,
  TopoErrorCode.Internal,
] as const;

/** Where a watch is: the first revision that it has not been told; `undefined` for nowhere yet. */
interface Position {
  next: bigint | undefined;
}

interface Telling {
  readonly stream: ClientDuplexStream<WatchRequest, WatchResponse>;
  readonly onError: (error: unknown) => TopoError;
  readonly position: Position;
  readonly feed: WatchFeed;
  readonly prefix: string;
  readonly signal: AbortSignal;
  readonly backoff: Backoff;
}

/** Tells the feed what the stream says, until the stream ends or the position is forgotten. */
async function tellChanges(telling: Telling): Promise<void> {
  const { stream, onError, position, feed, prefix, signal, backoff } = telling;
  const cancel = (): void => stream.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  // Cancelling is an error of the stream too, which nobody reads any more then.
  stream.on("error", () => {});
  try {
    stream.write(createRequest(prefix, position.next ?? 0n));
    const responses: AsyncIterable<WatchResponse> = stream;
    for await (const { created, canceled, compactRevision, cancelReason, events } of responses) {
      if (canceled) {
        position.next = undefined;
        if (compactRevision > 0n) return;
        throw unavailable(prefix, `etcd ended the watch: ${cancelReason}`);
      }
      if (created) {
        backoff.reset();
        feed.resume();
      }
      for (const event of events) tell(feed, event);
      // A revision is never split between two messages.
      const last = events.at(-1)?.kv?.modRevision;
      if (last !== undefined) position.next = last + 1n;
    }
    throw unavailable(prefix, "etcd ended the stream of the watch");
  } catch (error) {
    throw onError(error);
  } finally {
    signal.removeEventListener("abort", cancel);
    stream.cancel();
  }
}

function tell(feed: WatchFeed, { type, kv }: Event): void {
  if (kv === undefined) return;
  const entry = keyValueOf(kv);
  if (type === Event_EventType.DELETE) feed.remove(entry.key);
  else feed.put(entry);
}

function createRequest(prefix: string, startRevision: bigint): WatchRequest {
  const value = WatchCreateRequest.create({ ...prefixRange(prefix), startRevision });
  return { requestUnion: { $case: "createRequest", value } };
}

function unavailable(key: string, message: string): TopoError {
  return new TopoError({ code: TopoErrorCode.Unavailable, key, message });
}
