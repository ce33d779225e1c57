import { systemClock } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import type { Backend, KeyValueStore } from "../key-value.ts";
import { MemorySpace } from "./memory-space.ts";
import { MemoryStore } from "./memory-store.ts";

/** Default: the clock of the system. */
export interface MemoryTopologyOptions {
  readonly clock?: Clock | undefined;
}

/**
 * Topology servers that live in this process, one for each list of addresses. Two stores on one
 * `MemoryTopology` see each other as two processes on one server would.
 */
export class MemoryTopology implements Backend {
  readonly #clock: Clock;
  readonly #spaces = new Map<string, MemorySpace>();
  readonly #stores = new Set<MemoryStore>();
  #reachable = true;

  constructor({ clock = systemClock }: MemoryTopologyOptions = {}) {
    this.#clock = clock;
  }

  connect(serverAddresses: readonly string[]): KeyValueStore {
    const name = serverAddresses.toSorted().join(",");
    const space = this.#spaces.get(name) ?? new MemorySpace(this.#clock);
    this.#spaces.set(name, space);
    const store = new MemoryStore({
      space,
      clock: this.#clock,
      name,
      onClose: (closed) => this.#stores.delete(closed),
    });
    store.setReachable(this.#reachable);
    this.#stores.add(store);
    return store;
  }

  /** Takes every server's data: what a restart without its disk does. */
  forget(): void {
    for (const space of this.#spaces.values()) {
      space.forget();
    }
  }

  /** Takes every server away from every client, or gives them back: what a network does. */
  setReachable(reachable: boolean): void {
    this.#reachable = reachable;
    for (const store of this.#stores) {
      store.setReachable(reachable);
    }
  }
}
