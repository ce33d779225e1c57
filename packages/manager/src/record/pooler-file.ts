import path from "node:path";
import type { Logger } from "../logger.ts";
import type { ManagerError } from "../manager-error.ts";
import { JsonFile } from "./json-file.ts";

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
  readonly #options: PoolerFileOptions;
  readonly #file: JsonFile;

  constructor(options: PoolerFileOptions) {
    const { directory, name, what } = options;
    this.#options = options;
    this.#file = new JsonFile({ path: path.join(directory, name), what });
  }

  get path(): string {
    return this.#file.path;
  }

  /**
   * The object that {@link write} wrote last, or `undefined` where there is none of this pooler.
   * Rejects with RECORD_FILE_INVALID, naming the file, for one that cannot be read.
   */
  async read(): Promise<object | undefined> {
    const { poolerId, what, logger } = this.#options;
    const content = await this.#file.read();
    if (content === undefined) {
      return undefined;
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
    await this.#file.write({ poolerId, ...content });
  }

  /** Says that the file makes no sense: to guess would be to invent what it holds. */
  invalid(how: string, cause?: unknown): ManagerError {
    return this.#file.invalid(how, cause);
  }
}
