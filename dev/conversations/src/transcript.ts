import { comparable } from "./allowed-differences.ts";
import { close, copyFail, sync } from "./frontend.ts";

const MARKS = 7;
const MARK = "3";
const READY = "Z";

/**
 * Sent behind messages of any kind, so that the end of their answer is seen: it is {@link MARKS} times
 * CloseComplete and ReadyForQuery, in every state that a connection can be in.
 */
const settlement: Buffer = Buffer.concat([
  sync,
  ...Array.from({ length: MARKS }, () => close("S", "no such statement")),
  sync,
]);

/** What is sent to see the end of an answer. @param mayCopy a COPY FROM STDIN may be under way */
export function settling(mayCopy: boolean): Buffer {
  return mayCopy ? Buffer.concat([copyFail("settled"), settlement]) : settlement;
}

/** What a client was sent, one line a message, without what may differ. */
export class Transcript {
  readonly parameters: Map<string, string> = new Map();
  #lines: string[] = [];
  #partial: Buffer = Buffer.alloc(0);
  #hasEnded = false;
  #change = Promise.withResolvers<void>();

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  push(bytes: Uint8Array): void {
    this.#partial = Buffer.concat([this.#partial, bytes]);
    for (;;) {
      const size = this.#partial.length < 5 ? 0 : this.#partial.readInt32BE(1) + 1;
      if (size === 0 || this.#partial.length < size) {
        break;
      }
      this.#take(this.#partial.subarray(0, size));
      this.#partial = this.#partial.subarray(size);
    }
    this.#wake();
  }

  end(): void {
    if (!this.#hasEnded) {
      this.#hasEnded = true;
      this.#lines.push(this.#partial.length === 0 ? "the end" : "the end inside a message");
      this.#wake();
    }
  }

  /** Waits for ReadyForQuery, or the end. */
  async ready(signal: AbortSignal): Promise<readonly string[]> {
    return await this.#until(() => this.#lines.at(-1)?.startsWith(READY) === true, signal);
  }

  /** Waits for the answer to {@link settling}, or the end. Returns what came since the last call. */
  async settled(signal: AbortSignal): Promise<readonly string[]> {
    return await this.#until(() => this.#isSettled(), signal);
  }

  async #until(isDone: () => boolean, signal: AbortSignal): Promise<readonly string[]> {
    const wake = (): void => this.#wake();
    signal.addEventListener("abort", wake);
    while (!isDone() && !this.#hasEnded && !signal.aborted) {
      await this.#change.promise;
      this.#change = Promise.withResolvers();
    }
    signal.removeEventListener("abort", wake);
    const lines = this.#lines;
    this.#lines = [];
    return signal.aborted ? [...lines, "and then nothing"] : lines;
  }

  #isSettled(): boolean {
    const tail = this.#lines.slice(-MARKS - 1);
    return (
      tail.length === MARKS + 1 &&
      tail.at(-1)?.startsWith(READY) === true &&
      tail.slice(0, -1).every((line) => line === MARK)
    );
  }

  #take(message: Buffer): void {
    if (message[0] === 0x53) {
      const [name = "", value = ""] = message.toString("latin1", 5).split("\0");
      this.parameters.set(name, value);
    }
    const line = comparable(message);
    if (line !== undefined) {
      this.#lines.push(line);
    }
  }

  #wake(): void {
    this.#change.resolve();
  }
}
