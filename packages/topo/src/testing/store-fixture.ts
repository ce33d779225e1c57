import type { Backend, KeyEvent, KeyValueStore } from "../key-value.ts";
import { Topology } from "../topology.ts";
import type { TopologyOptions } from "../topology.ts";

/** A kind of topology server, for the conformance suite. One server serves the whole suite. */
export interface StoreFixture {
  readonly backend: Backend;
  readonly serverAddresses: readonly string[];
  /** The shortest time to live that a session can have here, in milliseconds. */
  readonly shortestTtlMs: number;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A server that can go away for everybody, as a crash does, and come back with what it knew. */
export interface OutageFixture extends StoreFixture {
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
}

/** What one test works with: stores and topologies of its own, all ended with the test. */
export class TestSpace {
  /** What each key of the test begins with. */
  readonly prefix: string;
  readonly fixture: StoreFixture;
  readonly #stack = new AsyncDisposableStack();

  constructor({ prefix, fixture }: { readonly prefix: string; readonly fixture: StoreFixture }) {
    this.prefix = prefix;
    this.fixture = fixture;
  }

  /** A client of its own, as another process would have. */
  connect(): KeyValueStore {
    const { backend, serverAddresses } = this.fixture;
    const store = backend.connect(serverAddresses);
    this.#stack.defer(() => store.close());
    return store;
  }

  /** A topology of its own, as another process would have. */
  topology(options: Pick<TopologyOptions, "homeCell"> = {}): Topology {
    const { backend, serverAddresses } = this.fixture;
    const root = `${this.prefix}global`;
    const topology = new Topology({ backend, serverAddresses, root, ...options });
    this.#stack.defer(() => topology.close());
    return topology;
  }

  /** Reads a watch to its end in the background. */
  observe(store: KeyValueStore, prefix: string = this.prefix): ObservedWatch {
    const watch = new ObservedWatch({ store, prefix });
    this.#stack.defer(() => watch.stop());
    return watch;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/** A watch that is read in the background, and what it has told. */
export class ObservedWatch {
  /** Everything that was told, in order. */
  readonly events: KeyEvent[] = [];
  readonly #stopped = new AbortController();
  readonly #done: Promise<void>;
  #told = Promise.withResolvers<void>();

  constructor({ store, prefix }: { readonly store: KeyValueStore; readonly prefix: string }) {
    this.#done = this.#read(store, prefix);
    this.#done.catch(() => {});
  }

  /** The state of the keys as the watch tells it: the last value of each. */
  state(): Map<string, string> {
    const state = new Map<string, string>();
    for (const event of this.events) {
      if (event.type === "snapshot") {
        for (const { key, value } of event.entries) {
          state.set(key, Buffer.from(value).toString());
        }
      } else if (event.type === "put") {
        state.set(event.entry.key, Buffer.from(event.entry.value).toString());
      } else if (event.type === "delete") {
        state.delete(event.key);
      }
    }
    return state;
  }

  /** Resolves once `holds` does; rejects when the watch ends before. */
  async until(holds: (watch: ObservedWatch) => boolean): Promise<void> {
    while (!holds(this)) {
      await Promise.race([this.#told.promise, this.ended()]);
    }
  }

  /** Resolves to the first event of a type. */
  async first(type: KeyEvent["type"]): Promise<KeyEvent> {
    for (;;) {
      const found = this.events.find((event) => event.type === type);
      if (found !== undefined) {
        return found;
      }
      await Promise.race([this.#told.promise, this.ended()]);
    }
  }

  /** Rejects with what the watch failed with; rejects too where it ended without an error. */
  async ended(): Promise<never> {
    await this.#done;
    throw new Error("the watch has ended");
  }

  /** Ends the watch and resolves once it has ended, without an error, even if it failed. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#done.catch(() => {});
  }

  async #read(store: KeyValueStore, prefix: string): Promise<void> {
    for await (const event of store.watch(prefix, { signal: this.#stopped.signal })) {
      this.events.push(event);
      this.#told.resolve();
      this.#told = Promise.withResolvers<void>();
    }
  }
}
