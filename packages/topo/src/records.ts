import type { Abortable, CreateOptions, Version } from "./key-value.ts";
import type { TopoError } from "./error.ts";
import type { Session } from "./session.ts";

/** A record as one revision of the topology had it. */
export interface Versioned<T> {
  readonly record: T;
  readonly version: Version;
}

/** A record with its key, which is what `delete` and `invalid` events name it by. */
export interface RecordEntry<T> extends Versioned<T> {
  readonly key: string;
}

/** What could be listed. */
export interface RecordList<T> {
  /** In the order of their keys. */
  readonly records: readonly RecordEntry<T>[];
  /** PARTIAL_RESULT where something could not be read; its cause is an `AggregateError`. */
  readonly error: TopoError | undefined;
}

export interface WatchOptions<Id> extends Abortable {
  /** The one record to watch; without it, every record. */
  readonly id?: Id | undefined;
}

/**
 * A change that a watch of records reports: a {@link KeyEvent}, decoded. `invalid` stands for a value that
 * is no such record; what was known under that key no longer holds.
 */
export type RecordEvent<T> =
  | { readonly type: "snapshot"; readonly entries: readonly RecordEntry<T>[] }
  | ({ readonly type: "put" } & RecordEntry<T>)
  | { readonly type: "delete"; readonly key: string }
  | { readonly type: "invalid"; readonly key: string; readonly error: TopoError }
  | { readonly type: "interrupted"; readonly error: TopoError }
  | { readonly type: "resumed" };

/** Reading records of one type. */
export interface RecordReader<Id, T> {
  /** The record; NO_NODE where it does not exist. */
  get(id: Id, options?: Abortable): Promise<RecordEntry<T>>;
  /** Every record that can be read, and an error that names the rest. */
  list(options?: Abortable): Promise<RecordList<T>>;
  /** One snapshot, then the changes, across reconnections; see {@link KeyWatcher}. */
  watch(options?: WatchOptions<Id>): AsyncIterable<RecordEvent<T>>;
}

export interface VersionOptions extends Abortable {
  /** Only over this version: BAD_VERSION otherwise. Without it: over any version. */
  readonly version?: Version | undefined;
}

/** Which version of a record is replaced, and how long the new one lives. */
export interface ReplaceOptions extends Abortable {
  readonly version: Version;
  /** The session whose end deletes the record from now on; without one the record stays. */
  readonly session?: Session | undefined;
}

/** Writing records of one type. */
export interface RecordWriter<Id, T> {
  /** Writes a record that does not exist; NODE_EXISTS where it does. */
  create(id: Id, record: T, options?: CreateOptions): Promise<Version>;
  /** Writes a record over a version of it: NO_NODE, BAD_VERSION. */
  replace(id: Id, record: T, options: ReplaceOptions): Promise<Version>;
  /**
   * Reads, changes and writes, again after each conflict, until it is done or the signal aborts.
   * `change` must be pure; `undefined` from it leaves the record as it is.
   */
  update(id: Id, change: (current: T) => T | undefined, options?: Abortable): Promise<Versioned<T>>;
  /** Deletes a record: NO_NODE, BAD_VERSION. */
  delete(id: Id, options?: VersionOptions): Promise<void>;
}

/** The records of one type. */
export interface Records<Id, T> extends RecordReader<Id, T>, RecordWriter<Id, T> {}
