import type { TopoError } from "./error.ts";
import type { Session, SessionOptions } from "./session.ts";

/** The last parameter of every asynchronous method. */
export interface Abortable {
  /** Ends the wait with INTERRUPTED, or with TIMEOUT where its reason is a `TimeoutError`. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A revision of the store: it grows with every change and never repeats, for as long as the server
 * keeps its data. A server that lost them, or got older ones back, counts again from where those
 * are. The version of a key is the revision of its last change (etcd: `mod_revision`).
 */
export type Version = bigint;

/** A key with its value, as one revision of the store had it. */
export interface KeyValue {
  readonly key: string;
  readonly value: Uint8Array;
  /** The revision that wrote this value. */
  readonly version: Version;
  /** The revision that created the key. Among the keys of a lock it is the order of arrival. */
  readonly createVersion: Version;
}

/** Reading keys. */
export interface KeyReader {
  /** The key as it is now, linearizably, or `undefined` where it does not exist. */
  get(key: string, options?: Abortable): Promise<KeyValue | undefined>;
  /** Every key that starts with `prefix`, as of one revision, ascending by the bytes of the key. */
  list(prefix: string, options?: Abortable): Promise<readonly KeyValue[]>;
}

export interface CreateOptions extends Abortable {
  /** The session whose end deletes the key. Rejects with SESSION_LOST where it has ended. */
  readonly session?: Session | undefined;
}

export interface CompareOptions extends Abortable {
  /** Write only over this version of the key. Without it: over any version, and over none. */
  readonly version?: Version | undefined;
}

export interface PutOptions extends CompareOptions {
  /**
   * The session whose end deletes the key from now on; without one the key stays. Rejects with
   * SESSION_LOST where it has ended.
   */
  readonly session?: Session | undefined;
}

/**
 * Writing keys, with values of up to 1 MiB: INVALID_ARGUMENT for larger ones. A write that ends with
 * TIMEOUT, UNAVAILABLE or INTERRUPTED may or may not have happened.
 */
export interface KeyWriter {
  /** Writes a key that does not exist; NODE_EXISTS where it does. Resolves to its version. */
  create(key: string, value: Uint8Array, options?: CreateOptions): Promise<Version>;
  /**
   * Writes a key. With a version: NO_NODE where the key does not exist, BAD_VERSION where it has
   * another version. Resolves to the new version.
   */
  put(key: string, value: Uint8Array, options?: PutOptions): Promise<Version>;
  /** Deletes a key: NO_NODE where it does not exist, BAD_VERSION where it has another version. */
  delete(key: string, options?: CompareOptions): Promise<void>;
}

/**
 * A change that a watch reports. The first event is `snapshot` and there is only one; after it come the
 * changes, the last one of each key at least. A reader that is slower than the changes sees the
 * changes of one key merged into the latest, so that what waits for it is bounded by the number of
 * keys. After `interrupted` the watch reconnects by itself and reports `resumed`, then every
 * change that the interruption hid.
 */
export type KeyEvent =
  | { readonly type: "snapshot"; readonly entries: readonly KeyValue[] }
  | { readonly type: "put"; readonly entry: KeyValue }
  | { readonly type: "delete"; readonly key: string }
  | { readonly type: "interrupted"; readonly error: TopoError }
  | { readonly type: "resumed" };

/** Watching keys. */
export interface KeyWatcher {
  /**
   * Watches every key that starts with `prefix`. Watching begins with the iteration and ends when
   * the signal aborts or the loop is left: an abort ends the iteration without an error.
   * The iteration fails with INTERRUPTED when the store is closed, DENIED when it is refused.
   */
  watch(prefix: string, options?: Abortable): AsyncIterable<KeyEvent>;
}

/** Opening sessions. */
export interface SessionOpener {
  /** Opens a session: a lease that is kept alive until it is closed, orphaned or lost. */
  openSession(options?: SessionOptions): Promise<Session>;
}

/**
 * A connection to one topology server, by keys and bytes: what a backend implements. It connects
 * with its first use, and reconnects by itself.
 */
export interface KeyValueStore extends KeyReader, KeyWriter, KeyWatcher, SessionOpener {
  /** Ends every watch, session and pending operation with INTERRUPTED. Idempotent. */
  close(): Promise<void>;
}

/** A kind of topology server. */
export interface Backend {
  /** Makes a connection to the server at these addresses. No I/O. */
  connect(serverAddresses: readonly string[]): KeyValueStore;
}
