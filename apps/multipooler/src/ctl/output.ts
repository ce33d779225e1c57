import type { Writable } from "node:stream";

/** The reader closed the output (`| head`): the command ends without an error. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

/** Writes text and waits until it is written, so that a large result is never held in memory. */
export class Output {
  readonly #stream: Writable;
  readonly #closed = new AbortController();
  #failure: Error | undefined;

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on("error", (error) => this.#fail(error));
  }

  /** Aborts when nothing can be written any more; the next `write` rejects with the reason. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /**
   * @throws OutputClosed when the reader has closed the output
   * @throws Error when it cannot be written: a disk is full
   */
  async write(text: string): Promise<void> {
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
    await new Promise<void>((resolve, reject) => {
      this.#stream.write(text, (error) => {
        if (error === null || error === undefined) {
          resolve();
        } else {
          reject(this.#fail(error));
        }
      });
    });
  }

  #fail(error: NodeJS.ErrnoException): Error {
    this.#failure ??=
      error.code === "EPIPE" ? new OutputClosed("output closed", { cause: error }) : error;
    this.#closed.abort();
    return this.#failure;
  }
}

/** What `--json` prints of an answer. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
