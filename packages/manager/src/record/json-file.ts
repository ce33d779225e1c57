import { readFile } from "node:fs/promises";
import { messageOf } from "../error-message.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { replaceFile } from "./durable-file.ts";

export interface JsonFileOptions {
  readonly path: string;
  /** What it holds, for errors, e.g. "the pooler's type". */
  readonly what: string;
}

/** A file that holds one JSON object, replaced as a whole. */
export class JsonFile {
  readonly path: string;
  readonly #what: string;

  constructor({ path, what }: JsonFileOptions) {
    this.path = path;
    this.#what = what;
  }

  /**
   * The object that {@link write} wrote last, or `undefined` where there is no file. Rejects with
   * RECORD_FILE_INVALID, naming the file, for one that cannot be read.
   */
  async read(): Promise<object | undefined> {
    const text = await this.#readIfExists();
    if (text === undefined) {
      return undefined;
    }
    const content = this.#parse(text);
    if (typeof content !== "object" || content === null || Array.isArray(content)) {
      throw this.invalid("does not hold an object");
    }
    return content;
  }

  async write(content: object): Promise<void> {
    await replaceFile(this.path, `${JSON.stringify(content, undefined, 2)}\n`);
  }

  /** Says that the file makes no sense: to guess would be to invent what it holds. */
  invalid(how: string, cause?: unknown): ManagerError {
    return new ManagerError(
      ManagerErrorCode.RecordFileInvalid,
      `${this.path} ${how}; repair it, or remove it to forget ${this.#what}`,
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
