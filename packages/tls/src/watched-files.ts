import { readFileSync, statSync } from "node:fs";
import type { Clock } from "@multipooler/timing";

/** Where it is told that files were replaced; pino's methods fit. */
export interface TlsLogger {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What lets files be read again while the process runs. */
export interface WatchContext {
  readonly clock: Pick<Clock, "monotonic">;
  readonly logger: TlsLogger;
}

export interface WatchedFilesOptions<T> extends WatchContext {
  /** What they are together, for the log, e.g. "certificate for clients". */
  readonly what: string;
  readonly source: FileSource<T>;
}

/** Files, and what is made of them. */
export interface FileSource<T> {
  /** Paths by what they hold, for the log. */
  readonly files: Readonly<Record<string, string>>;
  /** Makes the value of them. Throws where they cannot be used. */
  readonly load: () => T;
}

/** How long it is taken for granted that the files are the same. */
const RECHECK_MS = 1000;

/**
 * A value made of files. When one of them is replaced, the next use of the value gets the new one; if
 * the files cannot be used then, e.g. because only one of two was replaced yet, the log says so and
 * the old value stays until they change again.
 */
export class WatchedFiles<T> {
  readonly #options: WatchedFilesOptions<T>;
  #source: FileSource<T>;
  #value: T;
  #version: string;
  #checkedAt: number;

  /** Reads the files. @throws as `load` does */
  constructor(options: WatchedFilesOptions<T>) {
    const { source, clock } = options;
    this.#options = options;
    this.#source = source;
    this.#version = versionOf(source);
    this.#checkedAt = clock.monotonic();
    this.#value = source.load();
  }

  /** The value of the files as they are, at most a second late. The same object until they change. */
  get current(): T {
    const now = this.#options.clock.monotonic();
    if (now - this.#checkedAt >= RECHECK_MS) {
      this.#checkedAt = now;
      this.#reload();
    }
    return this.#value;
  }

  /**
   * Reads the files now, or other ones from now on. Returns what puts the new value in place, so that
   * several values can change together or not at all.
   *
   * @throws as `load` does; then nothing has changed
   */
  prepare(source: FileSource<T> = this.#source): () => void {
    const version = versionOf(source);
    const value = source.load();
    return () => {
      this.#source = source;
      this.#version = version;
      this.#checkedAt = this.#options.clock.monotonic();
      this.#value = value;
    };
  }

  #reload(): void {
    const { what, logger } = this.#options;
    const { files, load } = this.#source;
    const version = versionOf(this.#source);
    if (version === this.#version) {
      return;
    }
    this.#version = version;
    try {
      this.#value = load();
      logger.info({ ...files }, `the ${what} was replaced`);
    } catch (err) {
      logger.error({ ...files, err }, `the new ${what} cannot be used`);
    }
  }
}

/**
 * Differs when one of the files was written or put in place, or its permissions changed, which may let it
 * be read. Never throws: what cannot be looked at is told by `load`, which cannot read it either.
 */
function versionOf({ files }: FileSource<unknown>): string {
  return Object.values(files).map(fileVersion).join(", ");
}

function fileVersion(file: string): string {
  try {
    const { ino, size, mtimeMs, ctimeMs } = statSync(file);
    return `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  } catch (error) {
    return String(error);
  }
}

/** The longest PEM file that is read: some thousand certificates. */
const MAX_FILE_BYTES = 16_777_216;

/** Reads a file of certificates or a key. Throws a plain error that says why not. */
export function readPemFile(file: string): string {
  const bytes = readFileSync(file);
  if (bytes.length > MAX_FILE_BYTES) {
    throw new Error(`it has ${bytes.length} bytes, and ${MAX_FILE_BYTES} are allowed`);
  }
  return bytes.toString("latin1");
}
