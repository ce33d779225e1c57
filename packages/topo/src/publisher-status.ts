import type { PoolerType } from "@multipooler/proto/clustermetadata";
import { interruption } from "./error.ts";
import type { TopoError } from "./error.ts";

/** How it stands between a pooler and its record. A snapshot: reading it never waits. */
export interface PublisherStatus {
  /** Whether this run of the pooler has written its record, or found it written. */
  readonly registered: boolean;
  /** Whether the topology server answered last time, as far as is known; false before it has. */
  readonly reachable: boolean;
  /** Whether the record is known to say what the pooler wants it to say. */
  readonly upToDate: boolean;
  /**
   * The pooler's type. `undefined`: not known, and then the pooler must not take itself for a
   * primary.
   */
  readonly type: KnownType | undefined;
  /** Why the topology could not be read or written last; `undefined` once it could again. */
  readonly lastError: TopoError | undefined;
  /** When the record was last written by this run. */
  readonly lastPublishedAt: Date | undefined;
}

/** A pooler's type, and how it is known. */
export interface KnownType {
  readonly value: PoolerType;
  /** `remembered`: by the machine of the pooler, from an earlier run, until the record is read. */
  readonly source: "topology" | "remembered";
}

/** Called with each new status. Must not throw. */
export type StatusListener = (status: PublisherStatus) => void;

/** The status of a publisher, and those who want to hear of its changes. */
export class StatusBoard {
  readonly #listeners = new Set<StatusListener>();
  #status: PublisherStatus;

  constructor(status: PublisherStatus) {
    this.#status = status;
  }

  get(): PublisherStatus {
    return this.#status;
  }

  set(change: Partial<PublisherStatus>): void {
    const before = this.#status;
    const after = { ...before, ...change };
    if (sameType(before.type, after.type)) {
      after.type = before.type;
    }
    if (sameStatus(before, after)) {
      return;
    }
    this.#status = after;
    for (const listener of this.#listeners) {
      listener(after);
    }
  }

  watch(listener: StatusListener): () => void {
    // A function of its own, so that one listener that watches twice is two.
    const own: StatusListener = (status) => listener(status);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  /** Resolves once `holds` answers true; rejects with what it throws, or when the signal aborts. */
  async until(
    holds: (status: PublisherStatus) => boolean,
    key: string,
    signal: AbortSignal,
  ): Promise<void> {
    while (!holds(this.#status)) {
      if (signal.aborted) {
        throw interruption(key, signal);
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = (): void => resolve();
      const unwatch = this.watch(wake);
      signal.addEventListener("abort", wake, { once: true });
      await promise;
      signal.removeEventListener("abort", wake);
      unwatch();
    }
  }
}

function sameType(a: KnownType | undefined, b: KnownType | undefined): boolean {
  return a?.value === b?.value && a?.source === b?.source;
}

function sameStatus(a: PublisherStatus, b: PublisherStatus): boolean {
  return (
    a.registered === b.registered &&
    a.reachable === b.reachable &&
    a.upToDate === b.upToDate &&
    a.type === b.type &&
    a.lastError === b.lastError &&
    a.lastPublishedAt === b.lastPublishedAt
  );
}
