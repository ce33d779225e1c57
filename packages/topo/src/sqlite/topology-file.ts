import { constants, statSync } from "node:fs";
import { access, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Backoff, Deadline, sleep } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { interruption, storeClosed, TopoError, TopoErrorCode } from "../error.ts";
import { KeyTable } from "./key-table.ts";
import { prepareSchema } from "./schema.ts";
import { fileError, isBusy } from "./sqlite-error.ts";

/** How long one operation may wait for other processes, in milliseconds. */
const BUSY_TIMEOUT_MS = 10_000;
/** Of a new file, less the umask; as SQLite would make it. */
const FILE_MODE = 0o644;
/** How often a file is opened again that is replaced while that is done. */
const MAX_OPENINGS = 10;

export interface TopologyFileOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly random: () => number;
}

interface Opened {
  readonly database: DatabaseSync;
  readonly table: KeyTable;
  /** Devices and inodes of the file and its logs. */
  readonly place: string;
}

/** How an operation may end early. */
export interface WorkOptions {
  readonly key: string;
  readonly signal: AbortSignal;
}

/**
 * One connection to a topology file, opened with its first use. SQLite works synchronously, so
 * transactions are a few statements long, and nothing here waits inside SQLite for another process:
 * where one is in the way, the wait is a timer. A file that was deleted or replaced under its name
 * is opened again: SQLite would go on with the one that nobody else sees.
 */
export class TopologyFile {
  readonly path: string;
  readonly #clock: Clock;
  readonly #random: () => number;
  #opened: Opened | undefined;
  #opening: Promise<Opened> | undefined;
  #openings = 0;
  #closed = false;

  constructor({ path, clock, random }: TopologyFileOptions) {
    this.path = path;
    this.#clock = clock;
    this.#random = random;
  }

  /** Counts the files that were opened: revisions of one say nothing of those of another. */
  get openings(): number {
    return this.#openings;
  }

  /** Runs reads as one transaction. */
  read<T>(work: (table: KeyTable) => T, options: WorkOptions): Promise<T> {
    return this.#retry("read", work, options);
  }

  /** Runs reads and writes as one transaction. */
  write<T>(work: (table: KeyTable) => T, options: WorkOptions): Promise<T> {
    return this.#retry("write", work, options);
  }

  /** Runs a transaction at once; `undefined` where the file is not open or someone is in the way. */
  attempt<T>(kind: "read" | "write", work: (table: KeyTable) => T): T | undefined {
    const opened = this.#stillOpen();
    if (opened === undefined) {
      return undefined;
    }
    try {
      return transact(opened, BEGIN[kind], work);
    } catch (error) {
      if (isBusy(error)) {
        return undefined;
      }
      throw fileError(this.path, error);
    }
  }

  /** A number that changes with each commit of another connection; `undefined` for not known. */
  dataVersion(): bigint | undefined {
    try {
      return this.#stillOpen()?.table.dataVersion();
    } catch {
      // The next read fails with the reason.
      return undefined;
    }
  }

  close(): void {
    this.#closed = true;
    this.#opened?.database.close();
    this.#opened = undefined;
  }

  async #retry<T>(
    kind: "read" | "write",
    work: (table: KeyTable) => T,
    { key, signal }: WorkOptions,
  ): Promise<T> {
    const { path } = this;
    const clock = this.#clock;
    const backoff = new Backoff({ minMs: 1, maxMs: 20, random: this.#random });
    const what = "waiting for other processes";
    using deadline = new Deadline({ clock, ms: BUSY_TIMEOUT_MS, what, signal });
    const bounded = deadline.signal;
    for (;;) {
      if (bounded.aborted) {
        throw interruption(key, bounded);
      }
      try {
        const opened = await this.#open();
        if (bounded.aborted) {
          throw interruption(key, bounded);
        }
        return transact(opened, BEGIN[kind], work);
      } catch (error) {
        if (!isBusy(error)) {
          throw fileError(path, error);
        }
      }
      await sleep(clock, backoff.nextMs(), bounded);
    }
  }

  async #open(): Promise<Opened> {
    const opened = this.#stillOpen();
    if (opened !== undefined) {
      return opened;
    }
    this.#opening ??= this.#openFile().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #openFile(): Promise<Opened> {
    for (let attempt = 0; attempt < MAX_OPENINGS; attempt += 1) {
      await mkdir(dirname(this.path), { recursive: true });
      await makeFile(this.path);
      if (this.#closed) {
        throw storeClosed(this.path);
      }
      const opened = openAt(this.path);
      if (opened !== undefined) {
        this.#openings += 1;
        this.#opened = opened;
        return opened;
      }
    }
    const message = "the topology file cannot be used: it is replaced while it is opened";
    throw new TopoError({ code: TopoErrorCode.Unavailable, key: this.path, message });
  }

  /** What is open, unless the files under its name are others by now, or gone. */
  #stillOpen(): Opened | undefined {
    const opened = this.#opened;
    if (opened !== undefined && placeOf(this.path) !== opened.place) {
      this.#opened = undefined;
      opened.database.close();
    }
    return this.#opened;
  }
}

/**
 * Makes the file where there is none. One that exists is not opened for that: a process that closes
 * a file gives up all its locks on it, those of its other connections among them (fcntl(2)).
 */
async function makeFile(path: string): Promise<void> {
  try {
    await (await open(path, "ax", FILE_MODE)).close();
  } catch (error) {
    if (!isAlreadyThere(error)) {
      throw error;
    }
    await access(path, constants.R_OK | constants.W_OK);
  }
}

function isAlreadyThere(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EEXIST";
}

/**
 * Opens the file that is there; `undefined` if it was replaced meanwhile, or a log of it taken away:
 * it would count as the one under its name, and nobody else would see what is written to it.
 */
function openAt(path: string): Opened | undefined {
  const file = inodeOf(path);
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    prepareSchema(database, path);
  } catch (error) {
    database.close();
    throw error;
  }
  const hasLogs = LOGS.every((log) => inodeOf(`${path}${log}`) !== undefined);
  if (file === undefined || inodeOf(path) !== file || !hasLogs) {
    database.close();
    return undefined;
  }
  return { database, table: new KeyTable(database), place: placeOf(path) };
}

const LOGS = ["-wal", "-shm"] as const;

/** An open database has its two logs beside it, and is as good as lost to others without them. */
function placeOf(path: string): string {
  return ["", ...LOGS].map((suffix) => inodeOf(`${path}${suffix}`)).join(" ");
}

/** Device and inode of a file, if there is one. */
function inodeOf(path: string): string | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats && `${stats.dev}:${stats.ino}`;
}

/** A writer takes its lock first, so that it cannot find it taken half-way. */
const BEGIN = { read: "BEGIN", write: "BEGIN IMMEDIATE" } as const;

function transact<T>(
  { database, table }: Opened,
  beginning: string,
  work: (table: KeyTable) => T,
): T {
  database.exec(beginning);
  try {
    const result = work(table);
    database.exec("COMMIT");
    return result;
  } catch (error) {
    if (database.isTransaction) {
      database.exec("ROLLBACK");
    }
    throw error;
  }
}
