import { TopoErrorCode, interruption, isTopoError } from "@multipooler/topo";
import type { PoolerOwner, TopoError } from "@multipooler/topo";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { TopologyStatus } from "../manager-status.ts";
import type { PoolerType } from "./pooler-type.ts";

/** How it stands between a pooler and its record. A snapshot: reading it never waits. */
export interface PublisherStatus {
  /**
   * Whether the record is in the topology, as this run of the pooler wrote it or found it written.
   * False from the moment that it is seen to be gone. A server that does not answer changes nothing.
   */
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
  /** Another process that uses the pooler's name: this one must not serve. */
  readonly otherOwner: OtherOwner | undefined;
  /** Why the topology could not be read or written last; `undefined` once it could again. */
  readonly lastError: TopoError | ManagerError | undefined;
  /** When the record was last written by this run. */
  readonly lastPublishedAt: Date | undefined;
}

/** Another process that uses the pooler's name. */
export interface OtherOwner {
  readonly owner: PoolerOwner;
  /** False as long as it may be one that died, whose session has not ended yet. */
  readonly isAlive: boolean;
}

/** A pooler's type, and how it is known. */
export interface KnownType {
  readonly value: PoolerType;
  /** `remembered`: by the machine of the pooler, from an earlier run, until the record is read. */
  readonly source: "topology" | "remembered";
}

/** Called with each new status. Must not throw. */
export type StatusListener = (status: PublisherStatus) => void;

/** Whether `error` is one that no retry cures: an operator has to change something. */
export function isRefusal(error: unknown): error is TopoError | ManagerError {
  if (error instanceof ManagerError) {
    return error.code !== ManagerErrorCode.Internal;
  }
  return isTopoError(
    error,
    TopoErrorCode.Denied,
    TopoErrorCode.InvalidArgument,
    TopoErrorCode.InvalidRecord,
  );
}

/** The status of a publisher, and the listeners to its changes. */
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

  /**
   * Resolves with the first status for which `holds` answers true; rejects with what it throws, or,
   * when the signal aborts, with INTERRUPTED or TIMEOUT.
   */
  async until(
    holds: (status: PublisherStatus) => boolean,
    name: string,
    signal: AbortSignal,
  ): Promise<PublisherStatus> {
    while (!holds(this.#status)) {
      if (signal.aborted) {
        throw interruption(name, signal);
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = (): void => resolve();
      const unwatch = this.watch(wake);
      signal.addEventListener("abort", wake, { once: true });
      await promise;
      signal.removeEventListener("abort", wake);
      unwatch();
    }
    return this.#status;
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
    a.otherOwner?.owner.run === b.otherOwner?.owner.run &&
    a.otherOwner?.isAlive === b.otherOwner?.isAlive &&
    a.lastError === b.lastError &&
    a.lastPublishedAt === b.lastPublishedAt
  );
}

/** Where a type is from, as a status says it. */
export function sourceOf(
  source: "topology" | "remembered" | undefined,
): TopologyStatus["typeSource"] {
  switch (source) {
    case "topology":
      return "topology";
    case "remembered":
      return "local memory";
    case undefined:
      return "none";
  }
}
