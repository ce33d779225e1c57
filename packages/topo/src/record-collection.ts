import { Backoff, sleep } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { TopoError, TopoErrorCode, interruption, isTopoError } from "./error.ts";
import { joinKey } from "./keys.ts";
import type {
  Abortable,
  CreateOptions,
  KeyEvent,
  KeyValue,
  KeyValueStore,
  Version,
} from "./key-value.ts";
import type {
  RecordEntry,
  RecordEvent,
  RecordList,
  Records,
  ReplaceOptions,
  VersionOptions,
  Versioned,
  WatchOptions,
} from "./records.ts";

/** A store with the root under which the records are. */
export interface Location {
  readonly store: KeyValueStore;
  readonly root: string;
}

/** How records of one type are kept. */
export interface RecordKind<Id, T> {
  /** What errors call it. */
  readonly name: string;
  /** The folder of all of them, below the root. */
  readonly folder: string;
  /** The folder of one of them, below the common one; INVALID_ARGUMENT for what is no id. */
  readonly segment: (id: Id) => string;
  /** The last segment of the key. */
  readonly file: string;
  readonly encode: (record: T) => Uint8Array;
  /** Throws for bytes that are no such record. */
  readonly decode: (bytes: Uint8Array) => T;
}

export interface RecordCollectionOptions<Id, T> {
  readonly kind: RecordKind<Id, T>;
  /** Finds the store; asked again after a failure. */
  readonly locate: (options: Abortable) => Promise<Location>;
  readonly clock: Clock;
  readonly random: () => number;
}

/** The records of one type, over a store of keys and bytes. */
export class RecordCollection<Id, T> implements Records<Id, T> {
  readonly #kind: RecordKind<Id, T>;
  readonly #locate: (options: Abortable) => Promise<Location>;
  readonly #clock: Clock;
  readonly #random: () => number;

  constructor({ kind, locate, clock, random }: RecordCollectionOptions<Id, T>) {
    this.#kind = kind;
    this.#locate = locate;
    this.#clock = clock;
    this.#random = random;
  }

  async get(id: Id, options: Abortable = {}): Promise<RecordEntry<T>> {
    const { store, key } = await this.#find(id, options);
    const entry = await store.get(key, options);
    if (entry === undefined) {
      const message = `${this.#kind.name} does not exist`;
      throw new TopoError({ code: TopoErrorCode.NoNode, key, message });
    }
    return this.#decode(entry);
  }

  async list(options: Abortable = {}): Promise<RecordList<T>> {
    const { store, root } = await this.#locate(options);
    const prefix = `${joinKey(root, this.#kind.folder)}/`;
    const entries = await store.list(prefix, options);
    const records: RecordEntry<T>[] = [];
    const failures: unknown[] = [];
    for (const entry of entries.filter(({ key }) => this.#isRecord(key))) {
      try {
        records.push(this.#decode(entry));
      } catch (error) {
        failures.push(error);
      }
    }
    return { records, error: partialResult(prefix, failures) };
  }

  async create(id: Id, record: T, options: CreateOptions = {}): Promise<Version> {
    const { store, key } = await this.#find(id, options);
    return store.create(key, this.#encode(key, record), options);
  }

  async replace(id: Id, record: T, options: ReplaceOptions): Promise<Version> {
    const { store, key } = await this.#find(id, options);
    return store.put(key, this.#encode(key, record), options);
  }

  async update(
    id: Id,
    change: (current: T) => T | undefined,
    { signal }: Abortable = {},
  ): Promise<Versioned<T>> {
    const backoff = new Backoff({ minMs: 10, maxMs: 500, random: this.#random });
    for (;;) {
      const { record: current, version } = await this.get(id, { signal });
      const record = change(current);
      if (record === undefined) {
        return { record: current, version };
      }
      try {
        return { record, version: await this.replace(id, record, { version, signal }) };
      } catch (error) {
        if (!isTopoError(error, TopoErrorCode.BadVersion)) {
          throw error;
        }
        await sleep(this.#clock, backoff.nextMs(), signal);
        if (signal?.aborted === true) {
          throw interruption(error.key, signal);
        }
      }
    }
  }

  async delete(id: Id, options: VersionOptions = {}): Promise<void> {
    const { store, key } = await this.#find(id, options);
    await store.delete(key, options);
  }

  async *watch({ id, signal }: WatchOptions<Id> = {}): AsyncGenerator<RecordEvent<T>, void> {
    const { store, root } = await this.#locate({ signal });
    const { folder, segment, file } = this.#kind;
    const only = id === undefined ? undefined : joinKey(root, folder, segment(id), file);
    const prefix = only ?? `${joinKey(root, folder)}/`;
    const isWanted = (key: string): boolean =>
      only === undefined ? this.#isRecord(key) : key === only;
    for await (const event of store.watch(prefix, { signal })) {
      yield* this.#read(event, isWanted);
    }
  }

  *#read(event: KeyEvent, isWanted: (key: string) => boolean): Iterable<RecordEvent<T>> {
    switch (event.type) {
      case "snapshot":
        yield* this.#readSnapshot(event.entries.filter(({ key }) => isWanted(key)));
        break;
      case "put":
        if (isWanted(event.entry.key)) {
          yield this.#readPut(event.entry);
        }
        break;
      case "delete":
        if (isWanted(event.key)) {
          yield event;
        }
        break;
      case "interrupted":
      case "resumed":
        yield event;
        break;
    }
  }

  *#readSnapshot(found: readonly KeyValue[]): Iterable<RecordEvent<T>> {
    const entries: RecordEntry<T>[] = [];
    const invalid: RecordEvent<T>[] = [];
    for (const entry of found) {
      const read = this.#readPut(entry);
      if (read.type === "invalid") {
        invalid.push(read);
      } else {
        entries.push({ key: read.key, record: read.record, version: read.version });
      }
    }
    yield { type: "snapshot", entries };
    yield* invalid;
  }

  #readPut(entry: KeyValue): Extract<RecordEvent<T>, { readonly type: "put" | "invalid" }> {
    try {
      return { type: "put", ...this.#decode(entry) };
    } catch (error) {
      if (!isTopoError(error)) {
        throw error;
      }
      return { type: "invalid", key: entry.key, error };
    }
  }

  async #find(id: Id, options: Abortable): Promise<{ store: KeyValueStore; key: string }> {
    const { folder, segment, file } = this.#kind;
    const name = segment(id);
    const { store, root } = await this.#locate(options);
    return { store, key: joinKey(root, folder, name, file) };
  }

  #isRecord(key: string): boolean {
    return key.endsWith(`/${this.#kind.file}`);
  }

  #encode(key: string, record: T): Uint8Array {
    try {
      return this.#kind.encode(record);
    } catch (cause) {
      const message = `the ${this.#kind.name} cannot be encoded`;
      throw new TopoError({ code: TopoErrorCode.InvalidArgument, key, message, cause });
    }
  }

  #decode({ key, value, version }: KeyValue): RecordEntry<T> {
    try {
      return { key, record: this.#kind.decode(value), version };
    } catch (cause) {
      const message = `not a ${this.#kind.name} record`;
      throw new TopoError({ code: TopoErrorCode.InvalidRecord, key, message, cause });
    }
  }
}

/** The error that says which part of a listing is missing; `undefined` where none is. */
function partialResult(prefix: string, failures: readonly unknown[]): TopoError | undefined {
  if (failures.length === 0) {
    return undefined;
  }
  const message = `could not be read in part: ${failures.map(String).join("; ")}`;
  const cause = new AggregateError(failures, message);
  return new TopoError({ code: TopoErrorCode.PartialResult, key: prefix, message, cause });
}
