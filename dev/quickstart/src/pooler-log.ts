import { FileFollower } from "./file-follower.ts";
import { readableLogLine } from "./log-line.ts";

/** The warnings of the pooler: kept while it starts, printed from then on. */
export class PoolerLog implements Disposable {
  readonly #follower: FileFollower;
  #print: ((line: string) => void) | undefined;
  #last: string | undefined;

  private constructor(file: string) {
    this.#follower = FileFollower.open(file, (line) => this.#add(line));
  }

  /** Reads the log, which must exist, from its start. */
  static open(file: string): PoolerLog {
    return new PoolerLog(file);
  }

  /** The last thing it complained about. */
  get last(): string | undefined {
    this.#follower.read();
    return this.#last;
  }

  /** Prints each warning from now on. */
  printTo(print: (line: string) => void): void {
    this.#follower.read();
    this.#print = print;
  }

  [Symbol.dispose](): void {
    this.#follower[Symbol.dispose]();
  }

  #add(line: string): void {
    const text = readableLogLine(line);
    if (text === undefined) {
      return;
    }
    this.#last = text;
    this.#print?.(`pooler: ${text}`);
  }
}
