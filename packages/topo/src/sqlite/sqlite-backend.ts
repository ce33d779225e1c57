import { systemClock } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { TopoError, TopoErrorCode } from "../error.ts";
import type { Backend, KeyValueStore } from "../key-value.ts";
import { SqliteStore } from "./sqlite-store.ts";
import { TopologyFile } from "./topology-file.ts";

/** Defaults: the clock of the system, and Math.random. */
export interface SqliteBackendOptions {
  readonly clock?: Clock | undefined;
  /** A number from 0 up to 1, for the jitter between attempts. */
  readonly random?: (() => number) | undefined;
}

/**
 * Topologies in files, for the processes of one machine: each address is the path of a file, which
 * is made where there is none. Not for network file systems, on which SQLite's locks do not hold.
 */
export class SqliteBackend implements Backend {
  readonly #clock: Clock;
  readonly #random: () => number;

  constructor({ clock = systemClock, random = Math.random }: SqliteBackendOptions = {}) {
    this.#clock = clock;
    this.#random = random;
  }

  /** `serverAddresses`: the path of the file, and nothing else. */
  connect(serverAddresses: readonly string[]): KeyValueStore {
    const [path, ...others] = serverAddresses;
    if (path === undefined || others.length > 0) {
      throw new TopoError({
        code: TopoErrorCode.InvalidArgument,
        key: serverAddresses.join(","),
        message: "a topology in SQLite has one address, the path of its file",
      });
    }
    const clock = this.#clock;
    return new SqliteStore({
      file: new TopologyFile({ path, clock, random: this.#random }),
      clock,
    });
  }
}
