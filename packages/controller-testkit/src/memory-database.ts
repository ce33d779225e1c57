import type { ConnectionShare, ConnectionSlot, DatabaseHandle } from "@multipooler/controller-api";

/** Counts the places that are taken; `onChange` tells of each that comes free. */
class MemoryShare implements ConnectionShare {
  readonly limit: number;
  readonly #listeners = new Set<() => void>();
  #used = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  tryTake(): ConnectionSlot | undefined {
    if (this.#used >= this.limit) {
      return undefined;
    }
    this.#used += 1;
    let isTaken = true;
    return {
      release: () => {
        if (isTaken) {
          isTaken = false;
          this.#used -= 1;
          this.#notify();
        }
      },
    };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  serverIsFull(): void {
    // There is no server.
  }

  #notify(): void {
    for (const listener of this.#listeners) {
      setImmediate(listener);
    }
  }
}

/**
 * The handle of a database that is nowhere, for controllers that dial none: its address leads to no
 * socket, and its `admin` answers no row. Its share counts.
 */
export function memoryDatabase(change: Partial<DatabaseHandle> = {}): DatabaseHandle {
  return {
    address: { type: "socket", path: "memory" },
    database: "memory",
    user: "memory",
    tls: { mode: "disable" },
    dialTimeoutMs: 1000,
    applicationName: "memory",
    share: new MemoryShare(10),
    credential: async () => ({ type: "none" }),
    admin: async () => [],
    suspect: () => undefined,
    ...change,
  };
}
