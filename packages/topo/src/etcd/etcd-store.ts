import { RangeRequest } from "@multipooler/proto/etcd";
import type { Compare, RequestOp, TxnResponse } from "@multipooler/proto/etcd";
import type { Clock } from "@multipooler/timing";
import { TopoError, TopoErrorCode, storeClosed } from "../error.ts";
import type {
  Abortable,
  CompareOptions,
  CreateOptions,
  KeyEvent,
  KeyValue,
  KeyValueStore,
  PutOptions,
  Version,
} from "../key-value.ts";
import { LeaseSession, DEFAULT_TTL_MS, momentOf } from "../lease-session.ts";
import type { Session, SessionOptions } from "../session.ts";
import { checkValue } from "../value-limit.ts";
import { WatchFeed } from "../watch-feed.ts";
import type { Endpoints } from "./endpoints.ts";
import { EtcdClient } from "./etcd-client.ts";
import { keyValueOf } from "./etcd-key-value.ts";
import { EtcdLeases, isLeaseUnknown } from "./etcd-lease.ts";
import type { EtcdCredentials } from "./etcd-options.ts";
import { EtcdWatch } from "./etcd-watch.ts";
import type { Snapshot } from "./etcd-watch.ts";
import { prefixRange } from "./key-range.ts";
import { procedures } from "./procedures.ts";
import {
  deleteStep,
  deletedCount,
  getStep,
  hasVersion,
  isAbsent,
  putStep,
  versionRead,
} from "./transaction.ts";

/** Which cluster a store talks to, and as whom. */
export interface EtcdStoreOptions {
  readonly endpoints: Endpoints;
  readonly credentials: EtcdCredentials | undefined;
  readonly clock: Clock;
  readonly random: () => number;
}

/** A store of keys on an etcd cluster. */
export class EtcdStore implements KeyValueStore {
  readonly #endpoints: Endpoints;
  readonly #client: EtcdClient;
  readonly #leases: EtcdLeases;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #closed = new AbortController();
  readonly #watches = new Map<WatchFeed, string>();
  readonly #sessions = new Set<Session>();

  constructor({ endpoints, credentials, clock, random }: EtcdStoreOptions) {
    this.#endpoints = endpoints;
    this.#client = new EtcdClient({ endpoints, credentials, clock });
    this.#leases = new EtcdLeases({ client: this.#client });
    this.#clock = clock;
    this.#random = random;
  }

  async get(key: string, { signal }: Abortable = {}): Promise<KeyValue | undefined> {
    const request = RangeRequest.create({ key: Buffer.from(key) });
    const options = { key, signal: this.#until(signal) };
    const { kvs } = await this.#client.call(procedures.range, request, options);
    return kvs[0] && keyValueOf(kvs[0]);
  }

  async list(prefix: string, { signal }: Abortable = {}): Promise<readonly KeyValue[]> {
    return (await this.#read(prefix, this.#until(signal))).entries;
  }

  async create(
    key: string,
    value: Uint8Array,
    { session, signal }: CreateOptions = {},
  ): Promise<Version> {
    checkValue(key, value);
    const step = putStep(key, value, session?.id);
    const response = await this.#transact(key, isAbsent(key), step, signal);
    if (!response.succeeded) {
      throw error(TopoErrorCode.NodeExists, key, "exists already");
    }
    return revisionOf(response);
  }

  async put(
    key: string,
    value: Uint8Array,
    { version, session, signal }: PutOptions = {},
  ): Promise<Version> {
    checkValue(key, value);
    const condition = version === undefined ? undefined : hasVersion(key, version);
    const step = putStep(key, value, session?.id);
    const response = await this.#transact(key, condition, step, signal);
    if (!response.succeeded) {
      throw conflict(key, version, response);
    }
    return revisionOf(response);
  }

  async delete(key: string, { version, signal }: CompareOptions = {}): Promise<void> {
    const condition = version === undefined ? undefined : hasVersion(key, version);
    const response = await this.#transact(key, condition, deleteStep(key), signal);
    if (!response.succeeded) {
      throw conflict(key, version, response);
    }
    if (deletedCount(response) === 0n) {
      throw conflict(key, version, response);
    }
  }

  async *watch(prefix: string, { signal }: Abortable = {}): AsyncGenerator<KeyEvent, void> {
    if (this.#closed.signal.aborted) {
      throw storeClosed(prefix);
    }
    const feed = new WatchFeed();
    this.#watches.set(feed, prefix);
    const left = new AbortController();
    const watch = new EtcdWatch({
      client: this.#client,
      prefix,
      feed,
      read: (until) => this.#read(prefix, until),
      clock: this.#clock,
      random: this.#random,
      signal: AbortSignal.any([this.#until(signal), left.signal]),
    });
    const following = watch.follow();
    try {
      yield* feed.events(signal);
    } finally {
      left.abort();
      this.#watches.delete(feed);
      await following;
    }
  }

  async openSession({ ttlMs = DEFAULT_TTL_MS, signal }: SessionOptions = {}): Promise<Session> {
    const grantedAt = momentOf(this.#clock);
    const lease = await this.#leases.grant(ttlMs, this.#until(signal));
    const session: Session = new LeaseSession({
      ...lease,
      leases: this.#leases,
      grantedAt,
      clock: this.#clock,
      onEnd: (ended) => this.#sessions.delete(ended),
    });
    this.#sessions.add(session);
    if (this.#closed.signal.aborted) {
      session.orphan();
    }
    return session;
  }

  async close(): Promise<void> {
    if (this.#closed.signal.aborted) {
      return;
    }
    this.#closed.abort(storeClosed(this.#endpoints.name));
    for (const [feed, prefix] of this.#watches) {
      feed.fail(storeClosed(prefix));
    }
    for (const session of this.#sessions) {
      session.orphan();
    }
    this.#endpoints.close();
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    const closed = this.#closed.signal;
    return signal === undefined ? closed : AbortSignal.any([signal, closed]);
  }

  async #read(prefix: string, signal: AbortSignal): Promise<Snapshot> {
    const request = RangeRequest.create(prefixRange(prefix));
    const { kvs, header } = await this.#client.call(procedures.range, request, {
      key: prefix,
      signal,
    });
    return { entries: kvs.map(keyValueOf), revision: header?.revision ?? 0n };
  }

  /** Does `step` where the condition holds, and reads the key where it does not. */
  async #transact(
    key: string,
    condition: Compare | undefined,
    step: RequestOp,
    signal: AbortSignal | undefined,
  ): Promise<TxnResponse> {
    const compare = condition === undefined ? [] : [condition];
    const request = { compare, success: [step], failure: [getStep(key)] };
    try {
      return await this.#client.call(procedures.txn, request, { key, signal: this.#until(signal) });
    } catch (cause) {
      if (!isLeaseUnknown(cause)) {
        throw cause;
      }
      throw error(TopoErrorCode.SessionLost, key, "the session has ended", cause);
    }
  }
}

function revisionOf({ header }: TxnResponse): Version {
  return header?.revision ?? 0n;
}

function conflict(key: string, expected: Version | undefined, response: TxnResponse): TopoError {
  const found = versionRead(response);
  if (found === undefined) {
    return error(TopoErrorCode.NoNode, key, "does not exist");
  }
  const message = `has version ${found}, not ${expected} any more`;
  return error(TopoErrorCode.BadVersion, key, message);
}

function error(code: TopoErrorCode, key: string, message: string, cause?: unknown): TopoError {
  return new TopoError({ code, key, message, cause });
}
