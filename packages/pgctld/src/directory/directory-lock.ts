import { DatabaseSync } from "node:sqlite";
import { readFile, writeFile } from "node:fs/promises";
import { sleep, systemClock } from "@multipooler/timing";
import { ioFailed, PgctldError, PgctldErrorCode, throwIfAborted } from "../error.ts";

const RETRY_MS = 50;

/** How long a lock is waited for, and what for. */
export interface DirectoryLockOptions {
  /** The file to lock; made if it is absent, and left where it is. */
  readonly path: string;
  /** Said by others that find the file locked, e.g. "starts PostgreSQL". */
  readonly purpose: string;
  /** 0: not at all. */
  readonly waitMs: number;
}

/**
 * A lock that only one process has, and that ends with it, even by SIGKILL: the operating system
 * holds it for SQLite. It also keeps out other users of the same process.
 */
export class DirectoryLock implements AsyncDisposable {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Rejects with BUSY, which names the holder, when others have the lock for too long. */
  static async take(
    { path, purpose, waitMs }: DirectoryLockOptions,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<DirectoryLock> {
    const until = systemClock.monotonic() + waitMs;
    for (;;) {
      throwIfAborted(signal, `the wait for ${path}`);
      const database = tryLock(path);
      if (database !== undefined) {
        await writeFile(holderFile(path), `process ${process.pid} ${purpose}\n`).catch(
          () => undefined, // Only others' messages are poorer for it.
        );
        return new DirectoryLock(database);
      }
      if (systemClock.monotonic() >= until) {
        const holder = await readFile(holderFile(path), "utf8").catch(() => "another process");
        throw new PgctldError(PgctldErrorCode.Busy, `${path} is locked: ${holder.trim()}`);
      }
      await sleep(systemClock, RETRY_MS, signal);
    }
  }

  /** Gives the lock back. */
  [Symbol.asyncDispose](): Promise<void> {
    if (this.#database.isOpen) {
      this.#database.close();
    }
    return Promise.resolve();
  }
}

function holderFile(path: string): string {
  return `${path}.holder`;
}

/** `undefined`: somebody else has it. */
function tryLock(path: string): DatabaseSync | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec("pragma locking_mode = exclusive; begin exclusive");
    return database;
  } catch (error) {
    database?.close();
    if (isLocked(error)) {
      return undefined;
    }
    throw ioFailed(`${path} cannot be locked`, error);
  }
}

/** SQLITE_BUSY, whatever its extended code says besides. */
function isLocked(error: unknown): boolean {
  return (
    error instanceof Error &&
    "errcode" in error &&
    typeof error.errcode === "number" &&
    (error.errcode & 0xff) === SQLITE_BUSY
  );
}

const SQLITE_BUSY = 5;
