import type { Logger } from "../logger.ts";
import { PoolerFile } from "./pooler-file.ts";
import { PoolerType } from "./pooler-type.ts";

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
  readonly #file: PoolerFile | undefined;
  readonly #logger: Logger;
  #remembered: PoolerType | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor({ poolerDir, poolerId, logger }: TypeMemoryOptions) {
    const name = "pooler-record.json";
    const what = "the pooler's type";
    this.#file =
      poolerDir === undefined
        ? undefined
        : new PoolerFile({ directory: poolerDir, name, poolerId, what, logger });
    this.#logger = logger;
  }

  /**
   * The remembered type, if there is one. Rejects with RECORD_FILE_INVALID, naming the file, where
   * there is a file and no sense in it: to guess would be to invent a role.
   */
  async load(): Promise<PoolerType | undefined> {
    const content = await this.#file?.read();
    if (this.#file === undefined || content === undefined) {
      return undefined;
    }
    if (!("type" in content && isPoolerType(content.type))) {
      throw this.#file.invalid("does not hold a pooler's type");
    }
    this.#remembered = content.type;
    return content.type;
  }

  /** Remembers a type from now on. A failure is logged: it costs something only after a restart. */
  remember(type: PoolerType): void {
    const file = this.#file;
    if (file === undefined || this.#remembered === type) {
      return;
    }
    this.#remembered = type;
    this.#writing = this.#writing.then(async () => {
      try {
        await file.write({ type });
      } catch (error) {
        this.#remembered = undefined;
        this.#logger.warn(
          { err: error, file: file.path },
          "the pooler's type could not be remembered",
        );
      }
    });
  }

  /** Resolves when everything is on disk that was to be remembered. */
  async flush(): Promise<void> {
    await this.#writing;
  }
}

function isPoolerType(value: unknown): value is PoolerType {
  return Object.values<unknown>(PoolerType).includes(value);
}
