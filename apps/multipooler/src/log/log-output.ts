import { writeSync } from "node:fs";

/** Describes why the log cannot be written. */
export interface LogOutage {
  /** The error of the last attempt, e.g. "ENOSPC: no space left on device, write". */
  readonly error: string;
  /** Lines that were lost because the buffer was full. */
  readonly droppedLines: number;
}

export interface LogOutputOptions {
  /** A file, or a non-blocking pipe or socket, until {@link LogOutput.redirect}. Not closed. */
  readonly fd: number;
  /** Called once per outage. A slow reader is not an outage. */
  readonly onOutage: (error: Error) => void;
  /** Called after an outage, or lost lines, when the buffer has been written. */
  readonly onRecovery: (outage: LogOutage) => void;
}

/** Size of the buffer: 1 MiB. */
const MAX_WAITING_BYTES = 1_048_576;
/** Delay before a retry. */
const RETRY_MS = 1000;
/** Delay before a retry while the reader is slow. */
const SLOW_READER_RETRY_MS = 20;
/** How long `close` waits for a slow reader. */
const CLOSE_LIMIT_MS = 500;

/**
 * | state   | a line is                                       | left when                        |
 * | ------- | ----------------------------------------------- | -------------------------------- |
 * | writing | written at once                                 | a write fails                    |
 * | failing | buffered up to 1 MiB, then dropped and counted  | a retry has written the buffer   |
 */
type State = { readonly type: "writing" } | Failing;

interface Failing {
  readonly type: "failing";
  error: NodeJS.ErrnoException;
  /** The first one may be the rest of a line. */
  readonly waiting: Buffer[];
  waitingBytes: number;
  droppedLines: number;
  timer: NodeJS.Timeout;
}

/**
 * Writes lines to a descriptor and never throws. While the disk is full or the reader is slow, lines
 * are buffered up to a limit, then dropped and counted. Writes are synchronous, so that the last lines
 * before an exit are not lost.
 */
export class LogOutput {
  readonly #options: LogOutputOptions;
  readonly #recovered = new Set<() => void>();
  #fd: number;
  #state: State = { type: "writing" };

  constructor(options: LogOutputOptions) {
    this.#options = options;
    this.#fd = options.fd;
  }

  /** Has lines written to another descriptor from now on, those that wait too. */
  redirect(fd: number): void {
    this.#fd = fd;
    this.#retry();
  }

  /** `undefined` while lines are written, or wait for a slow reader and none was lost. */
  get outage(): LogOutage | undefined {
    const state = this.#state;
    if (state.type === "writing" || (isSlowReader(state.error) && state.droppedLines === 0)) {
      return undefined;
    }
    return { error: state.error.message, droppedLines: state.droppedLines };
  }

  /** Writes or buffers one line, which ends with a line break. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    const state = this.#state;
    if (state.type === "writing") {
      const { rest, error } = this.#put(bytes);
      if (error !== undefined) {
        this.#fail(error, rest);
      }
    } else if (state.waitingBytes + bytes.length > MAX_WAITING_BYTES) {
      state.droppedLines += 1;
    } else {
      state.waiting.push(bytes);
      state.waitingBytes += bytes.length;
    }
  }

  /**
   * Writes the buffer once more if the disk was full, and waits half a second at most for a slow
   * reader. What then still waits is lost.
   */
  async close(): Promise<void> {
    if (this.outage !== undefined) {
      this.#retry();
    }
    if (this.#state.type === "failing" && isSlowReader(this.#state.error)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const limit = setTimeout(resolve, CLOSE_LIMIT_MS);
      this.#recovered.add(resolve);
      await promise;
      this.#recovered.delete(resolve);
      clearTimeout(limit);
    }
    if (this.#state.type === "failing") {
      clearTimeout(this.#state.timer);
    }
  }

  #put(bytes: Buffer): { readonly rest: Buffer; readonly error?: NodeJS.ErrnoException } {
    let written = 0;
    try {
      while (written < bytes.length) {
        written += writeSync(this.#fd, bytes, written);
      }
    } catch (error) {
      return { rest: bytes.subarray(written), error: asError(error) };
    }
    return { rest: bytes.subarray(written) };
  }

  #fail(error: NodeJS.ErrnoException, rest: Buffer): void {
    this.#state = {
      type: "failing",
      error,
      waiting: [rest],
      waitingBytes: rest.length,
      droppedLines: 0,
      timer: this.#retryLater(error),
    };
    if (!isSlowReader(error)) {
      this.#options.onOutage(error);
    }
  }

  #retryLater(error: Error): NodeJS.Timeout {
    const ms = isSlowReader(error) ? SLOW_READER_RETRY_MS : RETRY_MS;
    return setTimeout(() => this.#retry(), ms).unref();
  }

  #retry(): void {
    const state = this.#state;
    if (state.type === "writing") {
      return;
    }
    clearTimeout(state.timer);
    for (let line = state.waiting[0]; line !== undefined; line = state.waiting[0]) {
      const { rest, error } = this.#put(line);
      state.waitingBytes -= line.length - rest.length;
      if (error !== undefined) {
        state.waiting[0] = rest;
        this.#failAgain(state, error);
        return;
      }
      state.waiting.shift();
    }
    const { outage } = this;
    this.#state = { type: "writing" };
    if (outage !== undefined) {
      this.#options.onRecovery(outage);
    }
    for (const resolve of this.#recovered) {
      resolve();
    }
  }

  #failAgain(state: Failing, error: NodeJS.ErrnoException): void {
    const wasSlow = isSlowReader(state.error);
    state.error = error;
    state.timer = this.#retryLater(error);
    if (wasSlow && !isSlowReader(error)) {
      this.#options.onOutage(error);
    }
  }
}

function isSlowReader(error: NodeJS.ErrnoException): boolean {
  return error.code === "EAGAIN";
}

function asError(error: unknown): NodeJS.ErrnoException {
  return error instanceof Error ? error : new Error(String(error));
}
