import { once } from "node:events";
import type { Writable } from "node:stream";

/** The reader closed the output (`| head`): the command ends without an error. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

/** Writes text and waits for a slow reader, so that a large result is never held in memory. */
export class Output {
  readonly #stream: Writable;
  readonly #closed = new AbortController();
  #failure: Error | undefined;

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on("error", (error: NodeJS.ErrnoException) => {
      this.#failure =
        error.code === "EPIPE" ? new OutputClosed("output closed", { cause: error }) : error;
      this.#closed.abort();
    });
  }

  /** Aborts when nothing can be written any more; the next `write` rejects with the reason. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  async write(text: string): Promise<void> {
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
    if (this.#stream.write(text)) {
      return;
    }
    try {
      await once(this.#stream, "drain");
    } catch (error) {
      throw this.#failure ?? error;
    }
  }
}

/** What `--json` prints of an answer. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
