import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { basename, dirname } from "node:path";
import { sleep } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";

/**
 * How often the file is looked at without a sign of a change, in milliseconds: some file systems,
 * network ones above all, give no sign.
 */
const SAFETY_POLL_MS = 2000;

export interface ChangeSignalOptions {
  /** The file of the database. */
  readonly path: string;
  readonly clock: Clock;
  /** Called when the file may have changed. */
  readonly onSign: () => void;
  /** Watches a directory. Default: `watch` of `node:fs`. */
  readonly watchDirectory?: WatchDirectory | undefined;
}

export type WatchDirectory = (
  directory: string,
  onChange: (event: string, name: string | null) => void,
) => FSWatcher;

/**
 * Tells when another process may have changed a database: each commit writes its write-ahead log,
 * of which the operating system notifies a watch on its directory.
 */
export class ChangeSignal {
  readonly #stopped = new AbortController();
  readonly #options: ChangeSignalOptions;
  #watcher: FSWatcher | undefined;

  constructor(options: ChangeSignalOptions) {
    this.#options = options;
  }

  start(): void {
    this.listen();
    void this.#poll();
  }

  /**
   * Listens to the directory where it does not yet, for there may have been none; says whether
   * that began now, so that what happened before is for the caller to look at.
   */
  listen(): boolean {
    if (this.#watcher !== undefined || this.#stopped.signal.aborted) {
      return false;
    }
    const { path, onSign, watchDirectory = watch } = this.#options;
    const file = basename(path);
    const log = `${file}-wal`;
    try {
      const watcher = watchDirectory(dirname(path), (_event, name) => {
        if (name === null || name === log || name === file) {
          onSign();
        }
      });
      watcher.on("error", () => {
        watcher.close();
        this.#watcher = undefined;
      });
      this.#watcher = watcher;
      return true;
    } catch {
      // No more watches can be had, or none here: the safety poll has to do.
      return false;
    }
  }

  stop(): void {
    this.#stopped.abort();
    this.#watcher?.close();
  }

  async #poll(): Promise<void> {
    const { clock, onSign } = this.#options;
    const { signal } = this.#stopped;
    for (;;) {
      await sleep(clock, SAFETY_POLL_MS, signal);
      if (signal.aborted) {
        return;
      }
      // The watch may have failed since. Before the sign, so that no change falls in between.
      this.listen();
      onSign();
    }
  }
}
