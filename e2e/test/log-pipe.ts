import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";

const { O_NONBLOCK, O_RDWR, O_WRONLY } = constants;
const CHUNK_BYTES = 65_536;

/** A pipe for a program's log, whose reader reads only when a test says so. */
export class LogPipe implements Disposable {
  /** For the program. It blocks, as that of a shell does. */
  readonly writer: number;
  readonly #reader: number;
  #text = "";

  constructor(directory: string) {
    const path = join(directory, "log");
    execFileSync("mkfifo", [path]);
    this.#reader = openSync(path, O_RDWR | O_NONBLOCK);
    this.writer = openSync(path, O_WRONLY);
  }

  /** Writes empty lines until nothing more fits. */
  fill(): void {
    for (const size of [4096, 1]) {
      try {
        for (;;) {
          writeSync(this.#reader, "\n".repeat(size));
        }
      } catch {
        // Not even this much fits.
      }
    }
  }

  /** Empties the pipe. Returns all that was ever read. */
  read(): string {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    try {
      for (;;) {
        this.#text += chunk.toString("utf8", 0, readSync(this.#reader, chunk));
      }
    } catch {
      return this.#text;
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#reader);
    closeSync(this.writer);
  }
}
