import { readFile } from "node:fs/promises";
import path from "node:path";
import { messageOf } from "../error-message.ts";
import { replaceFile } from "./durable-file.ts";
import type { Logger } from "../logger.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { PoolerType } from "./pooler-type.ts";

/** The name of the file in the pooler's directory. */
const FILE_NAME = "pooler-record.json";

export interface TypeMemoryOptions {
  /** The pooler's directory; without one nothing is remembered. */
  readonly poolerDir: string | undefined;
  /** Whose type it is: what another pooler left in the directory does not count. */
  readonly poolerId: string;
  readonly logger: Logger;
}

/**
 * Remembers on this machine the type that the topology last named, so that a pooler can serve in
 * its role while the topology is away.
 */
export class TypeMemory {
  readonly #file: string | undefined;
  readonly #poolerId: string;
  readonly #logger: Logger;
  #remembered: PoolerType | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor({ poolerDir, poolerId, logger }: TypeMemoryOptions) {
    this.#file = poolerDir === undefined ? undefined : path.join(poolerDir, FILE_NAME);
    this.#poolerId = poolerId;
    this.#logger = logger;
  }

  /**
   * The remembered type, if there is one. Rejects with RECORD_FILE_INVALID, naming the file, where
   * there is a file and no sense in it: to guess would be to invent a role.
   */
  async load(): Promise<PoolerType | undefined> {
    if (this.#file === undefined) {
      return undefined;
    }
    const text = await readIfExists(this.#file);
    if (text === undefined) {
      return undefined;
    }
    const { poolerId, type } = parse(this.#file, text);
    if (poolerId !== this.#poolerId) {
      this.#logger.warn(
        { file: this.#file, poolerId },
        "the remembered type is another pooler's; it is not used",
      );
      return undefined;
    }
    this.#remembered = type;
    return type;
  }

  /** Remembers a type from now on. A failure is logged: it costs something only after a restart. */
  remember(type: PoolerType): void {
    const file = this.#file;
    if (file === undefined || this.#remembered === type) {
      return;
    }
    this.#remembered = type;
    const text = `${JSON.stringify({ poolerId: this.#poolerId, type }, undefined, 2)}\n`;
    this.#writing = this.#writing.then(async () => {
      try {
        await replaceFile(file, text);
      } catch (error) {
        this.#remembered = undefined;
        this.#logger.warn({ err: error, file }, "the pooler's type could not be remembered");
      }
    });
  }

  /** Resolves when everything is on disk that was to be remembered. */
  async flush(): Promise<void> {
    await this.#writing;
  }
}

async function readIfExists(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      return undefined;
    }
    throw invalid(file, `cannot be read: ${messageOf(error)}`, error);
  }
}

function parse(file: string, text: string): { poolerId: string; type: PoolerType } {
  const content = parseJson(file, text);
  if (
    typeof content !== "object" ||
    content === null ||
    !("poolerId" in content && typeof content.poolerId === "string") ||
    !("type" in content && isPoolerType(content.type))
  ) {
    throw invalid(file, "does not hold a pooler's id and type");
  }
  return { poolerId: content.poolerId, type: content.type };
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(file, "is not JSON", error);
  }
}

function isPoolerType(value: unknown): value is PoolerType {
  return Object.values<unknown>(PoolerType).includes(value);
}

function invalid(file: string, what: string, cause?: unknown): ManagerError {
  return new ManagerError(
    ManagerErrorCode.RecordFileInvalid,
    `${file} ${what}; repair it, or remove it to forget the pooler's type`,
    { cause },
  );
}
