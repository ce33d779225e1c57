import type { TopoStore } from "@multipooler/topo";
import { onAbort } from "@multipooler/timing";
import { endsOfPoolers, topoEvents } from "./topo-event.ts";
import type { EventSource, TopoEvent } from "./topo-event.ts";
import { recordName } from "./topo-record.ts";
import type { TopoKind } from "./topo-record.ts";

export interface WatchingOptions {
  readonly topology: TopoStore;
  readonly kinds: readonly TopoKind[];
  /** Called for one event at a time of each kind and cell. */
  readonly onEvent: (event: TopoEvent) => Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * Watches the records of some kinds until the signal aborts; poolers in all cells, including new ones.
 * Rejects if the global topology does not answer at the start; later outages are events.
 */
export async function watchTopology(options: WatchingOptions): Promise<void> {
  const { signal } = options;
  const watching = new Watching(options);
  const stopListening = onAbort(signal, () => watching.stop());
  try {
    if (!signal.aborted) {
      await watching.run();
    }
  } finally {
    stopListening();
  }
}

class Watching {
  readonly #options: WatchingOptions;
  readonly #stopped = new AbortController();
  readonly #ended = Promise.withResolvers<void>();
  readonly #sources: Promise<void>[] = [];
  readonly #cells = new Map<string, AbortController>();

  constructor(options: WatchingOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { topology, kinds } = this.#options;
    const { cells, databases, primaries } = topology.global;
    const { signal } = this.#stopped;
    if (kinds.includes("cell") || kinds.includes("pooler")) {
      this.#follow(
        {
          kind: "cell",
          watch: cells.watch({ signal }),
          recordOf: (entry) => ({ kind: "cell", ...entry }),
          mustAnswer: true,
        },
        (event) => this.#onCell(event),
      );
    }
    if (kinds.includes("database")) {
      this.#follow({
        kind: "database",
        watch: databases.watch({ signal }),
        recordOf: (entry) => ({ kind: "database", ...entry }),
        mustAnswer: true,
      });
    }
    if (kinds.includes("shard")) {
      this.#follow({
        kind: "shard",
        watch: primaries.watch({ signal }),
        recordOf: (entry) => ({ kind: "shard", ...entry }),
        mustAnswer: true,
      });
    }
    try {
      await this.#ended.promise;
    } finally {
      this.stop();
      await Promise.all(this.#sources);
    }
  }

  stop(): void {
    this.#stopped.abort();
    this.#ended.resolve();
  }

  #follow<T>(source: EventSource<T>, onEvent = this.#options.onEvent): void {
    this.#tell(topoEvents(source), onEvent);
  }

  #tell(events: AsyncIterable<TopoEvent>, onEvent: WatchingOptions["onEvent"]): void {
    const read = async (): Promise<void> => {
      for await (const event of events) {
        await onEvent(event);
      }
    };
    this.#sources.push(
      read().catch((error: unknown) => {
        this.#ended.reject(error);
      }),
    );
  }

  async #onCell(event: TopoEvent): Promise<void> {
    const { kinds, onEvent } = this.#options;
    if (kinds.includes("cell")) {
      await onEvent(event);
    }
    if (!kinds.includes("pooler")) {
      return;
    }
    if (event.type === "found" || event.type === "written") {
      this.#followPoolers(recordName(event.record));
    } else if (event.type === "deleted") {
      const name = recordName(event);
      this.#cells.get(name)?.abort();
      this.#cells.delete(name);
    }
  }

  #followPoolers(cell: string): void {
    if (this.#cells.has(cell)) {
      return;
    }
    const left = new AbortController();
    this.#cells.set(cell, left);
    const signal = AbortSignal.any([left.signal, this.#stopped.signal]);
    const { topology, onEvent } = this.#options;
    const { poolers, owners } = topology.cell(cell);
    this.#follow({
      kind: "pooler",
      watch: poolers.watch({ signal }),
      recordOf: (entry) => ({ kind: "pooler", ...entry }),
      mustAnswer: false,
    });
    this.#tell(endsOfPoolers(owners.watch({ signal })), onEvent);
  }
}
