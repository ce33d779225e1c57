import { closeSync, openSync, readSync, watch } from "node:fs";
import type { FSWatcher } from "node:fs";

/**
 * Reads the lines that are appended to a file. A file rather than a pipe, so that the pooler lives
 * on when the `npm start` that reads its log is killed.
 */
export class FileFollower implements Disposable {
  readonly #fd: number;
  readonly #watcher: FSWatcher;
  readonly #onLine: (line: string) => void;
  readonly #decoder = new TextDecoder();
  readonly #buffer = Buffer.alloc(64 * 1024);
  #rest = "";

  private constructor(file: string, onLine: (line: string) => void) {
    this.#onLine = onLine;
    this.#fd = openSync(file, "r");
    this.#watcher = watch(file, () => this.read());
  }

  /** Follows `file`, which must exist, from its start. */
  static open(file: string, onLine: (line: string) => void): FileFollower {
    return new FileFollower(file, onLine);
  }

  /** Hands out the complete lines that have been written by now. */
  read(): void {
    for (;;) {
      const size = readSync(this.#fd, this.#buffer);
      if (size === 0) {
        return;
      }
      const text =
        this.#rest + this.#decoder.decode(this.#buffer.subarray(0, size), { stream: true });
      const lines = text.split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) {
        this.#onLine(line);
      }
    }
  }

  [Symbol.dispose](): void {
    this.#watcher.close();
    closeSync(this.#fd);
  }
}
