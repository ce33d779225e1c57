import { printableJson } from "@multipooler/text-table";
import type { Writable } from "node:stream";

/** The reader closed the output (`| head`): the command ends without an error. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

/** The output cannot be written, e.g. because the disk is full. */
export class OutputFailed extends Error {
  override readonly name = "OutputFailed";
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
   * @throws OutputFailed when it cannot be written
   */
  async write(text: string): Promise<void> {
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
    try {
      await written(this.#stream, text);
    } catch (error) {
      throw this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #fail(error: NodeJS.ErrnoException): Error {
    this.#failure ??=
      error.code === "EPIPE"
        ? new OutputClosed("output closed", { cause: error })
        : new OutputFailed(`the output cannot be written: ${error.message}`, { cause: error });
    this.#closed.abort();
    return this.#failure;
  }
}

function written(stream: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

/** What `--json` prints of an answer; nothing in it controls a terminal. */
export function jsonText(
  value: unknown,
  { indent }: { readonly indent: number } = { indent: 2 },
): string {
  return `${printableJson(JSON.stringify(value, undefined, indent))}\n`;
}
