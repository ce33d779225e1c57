import { readFile } from "node:fs/promises";
import path from "node:path";
import { messageOf } from "../error-message.ts";
import type { Logger } from "../logger.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { replaceFile } from "./durable-file.ts";

export interface PoolerFileOptions {
  /** The pooler's directory. */
  readonly directory: string;
  readonly name: string;
  /** Whose file it is: what another pooler left in the directory does not count. */
  readonly poolerId: string;
  /** What it holds, for errors and log, e.g. "the pooler's type". */
  readonly what: string;
  readonly logger: Logger;
}

/** A JSON file in which one pooler keeps a fact of its own over restarts. */
export class PoolerFile {
  readonly path: string;
  readonly #options: PoolerFileOptions;

  constructor(options: PoolerFileOptions) {
    this.#options = options;
    this.path = path.join(options.directory, options.name);
  }

  /**
   * The object that {@link write} wrote last, or `undefined` where there is none of this pooler.
   * Rejects with RECORD_FILE_INVALID, naming the file, for one that cannot be read.
   */
  async read(): Promise<object | undefined> {
    const { poolerId, what, logger } = this.#options;
    const text = await this.#readIfExists();
    if (text === undefined) {
      return undefined;
    }
    const content = this.#parse(text);
    if (typeof content !== "object" || content === null) {
      throw this.invalid("does not hold an object");
    }
    if (!("poolerId" in content && typeof content.poolerId === "string")) {
      throw this.invalid("does not hold the pooler's id");
    }
    if (content.poolerId !== poolerId) {
      const fields = { file: this.path, poolerId: content.poolerId };
      logger.warn(fields, `${what} in this file is another pooler's; it is not used`);
      return undefined;
    }
    return content;
  }

  /** Replaces the file, whole. */
  async write(content: object): Promise<void> {
    const { poolerId } = this.#options;
    await replaceFile(this.path, `${JSON.stringify({ poolerId, ...content }, undefined, 2)}\n`);
  }

  /** Says that the file makes no sense: to guess would be to invent what it holds. */
  invalid(how: string, cause?: unknown): ManagerError {
    return new ManagerError(
      ManagerErrorCode.RecordFileInvalid,
      `${this.path} ${how}; repair it, or remove it to forget ${this.#options.what}`,
      { cause },
    );
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (error) {
      throw this.invalid("is not JSON", error);
    }
  }

  async #readIfExists(): Promise<string | undefined> {
    try {
      return await readFile(this.path, "utf8");
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") {
        return undefined;
      }
      throw this.invalid(`cannot be read: ${messageOf(error)}`, error);
    }
  }
}
