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

/** What the topology last said. */
interface Remembered {
  readonly type: PoolerType | undefined;
  /** Of the cluster that the shard is. */
  readonly systemIdentifier: bigint | undefined;
}

/**
 * Remembers on this machine the type that the topology last named, and whose data the shard is, so
 * that a pooler can serve in its role while the topology is away, and nothing else than before.
 */
export class TypeMemory {
  readonly #file: PoolerFile | undefined;
  readonly #logger: Logger;
  #remembered: Remembered = { type: undefined, systemIdentifier: undefined };
  #isWritten = true;
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
    const { type } = content;
    const text = "systemIdentifier" in content ? content.systemIdentifier : undefined;
    if (text !== undefined && !(typeof text === "string" && /^[0-9]+$/.test(text))) {
      throw this.#file.invalid("does not hold the system identifier of the shard");
    }
    this.#remembered = { type, systemIdentifier: text === undefined ? undefined : BigInt(text) };
    return type;
  }

  /** Of the cluster that the shard was when the topology last said so. */
  get systemIdentifier(): bigint | undefined {
    return this.#remembered.systemIdentifier;
  }

  /** Remembers a type from now on. A failure is logged: it costs something only after a restart. */
  remember(type: PoolerType): void {
    this.#write({ ...this.#remembered, type });
  }

  /** Remembers whose data the shard is; `undefined` forgets it. */
  rememberCluster(systemIdentifier: bigint | undefined): void {
    this.#write({ ...this.#remembered, systemIdentifier });
  }

  #write(next: Remembered): void {
    const { type = PoolerType.Unknown, systemIdentifier } = next;
    const before = this.#remembered;
    const isSame = type === before.type && systemIdentifier === before.systemIdentifier;
    const file = this.#file;
    if (file === undefined || (isSame && this.#isWritten)) {
      return;
    }
    this.#remembered = { type, systemIdentifier };
    this.#isWritten = true;
    const content = { type, systemIdentifier: systemIdentifier?.toString() };
    this.#writing = this.#writing.then(async () => {
      try {
        await file.write(content);
      } catch (error) {
        this.#isWritten = false;
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
