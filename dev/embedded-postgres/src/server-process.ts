import type { ChildProcess } from "node:child_process";
import { EmbeddedPostgresError } from "./error.ts";
import { guard } from "./guard.ts";
import type { Guard } from "./guard.ts";
import { LogTail } from "./log-tail.ts";
import { childrenOf, killOrphans, lockHolder, sendSignal } from "./processes.ts";
import { spawnAs } from "./run-as.ts";
import type { RunAs } from "./run-as.ts";

/** How a server shuts down: after all sessions ended, at once but in order, or without order. */
export type StopMode = "smart" | "fast" | "immediate";

const STOP_SIGNALS: Record<StopMode, NodeJS.Signals> = {
  smart: "SIGTERM",
  fast: "SIGINT",
  immediate: "SIGQUIT",
};
const STOP_DEADLINE_MS = 30_000;
const IMMEDIATE_STOP_DEADLINE_MS = 5_000;
/** Also on a standby, which is ready for read-only connections. The text is fixed by lc_messages=C. */
const READY = /database system is ready to accept (read-only )?connections/;

/** How the server's main process ended. */
export interface ServerEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What one run of `postgres` is started with. */
export interface ServerProcessOptions {
  readonly runAs: RunAs;
  readonly program: string;
  readonly args: readonly string[];
  readonly dataDir: string;
  /** Removed if this process dies without stopping the server. */
  readonly temporaryDir: string | undefined;
  readonly log: ((line: string) => void) | undefined;
}

/** One run of the PostgreSQL server, from its start to the end of its last process. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #log = new LogTail();
  readonly #guard: Guard;
  readonly #dataDir: string;
  /** The server's main process. */
  readonly pid: number;
  /** Resolves when the main process has ended. */
  readonly ended: Promise<ServerEnd>;
  /**
   * Resolves when each process of this run has ended: all of them inherit the standard error, so
   * it ends with the last one. Only then another run may start on the same data.
   */
  readonly gone: Promise<void>;

  private constructor(child: ChildProcess, pid: number, options: ServerProcessOptions) {
    this.#child = child;
    this.#dataDir = options.dataDir;
    this.pid = pid;
    if (options.log) {
      this.#log.listen(options.log);
    }
    if (child.stderr) {
      this.#log.follow(child.stderr);
    }
    this.#guard = guard(pid, options.temporaryDir);
    this.ended = new Promise((resolve) => {
      child.once("exit", (code, signal) => resolve({ code, signal }));
    });
    this.gone = new Promise<void>((resolve) => {
      child.once("close", () => resolve());
    }).then(() => this.#guard.release());
  }

  /** Starts a server; `ready` tells when it takes connections. */
  static async spawn(options: ServerProcessOptions): Promise<ServerProcess> {
    const child = spawnAs(options.runAs, options.program, options.args, {
      stdio: ["ignore", "ignore", "pipe"],
    });
    if (child.pid === undefined) {
      const { promise, resolve } = Promise.withResolvers<Error>();
      child.once("error", resolve);
      const cause = await promise;
      throw new EmbeddedPostgresError(
        "start-failed",
        `${options.program} cannot be run: ${cause.message}`,
        { cause },
      );
    }
    return new ServerProcess(child, child.pid, options);
  }

  /** The last lines of the server's log. */
  get logLines(): readonly string[] {
    return this.#log.lines;
  }

  /** True until the main process has ended. */
  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves to true when the server takes connections, to false when it ended before. Rejects on abort. */
  async ready({ signal }: { signal: AbortSignal }): Promise<boolean> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const unlisten = this.#log.listen((line) => {
      if (READY.test(line)) {
        resolve(true);
      }
    });
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    // The log is complete only when all processes are gone.
    void this.gone.then(() => resolve(false));
    try {
      return await promise;
    } finally {
      unlisten();
      signal.removeEventListener("abort", abort);
    }
  }

  /** Shuts the server down; one that does not obey in time is treated more and more harshly. */
  async stop(mode: StopMode): Promise<void> {
    if (!this.running) {
      return await this.kill();
    }
    sendSignal(this.pid, STOP_SIGNALS[mode]);
    if (await this.#goneWithin(STOP_DEADLINE_MS)) {
      return;
    }
    if (this.running) {
      sendSignal(this.pid, STOP_SIGNALS.immediate);
    }
    if (await this.#goneWithin(IMMEDIATE_STOP_DEADLINE_MS)) {
      return;
    }
    await this.kill();
  }

  /** SIGKILL for each process of the server, as a crash of the machine would; waits for their end. */
  async kill(): Promise<void> {
    // Stopped first, so that it starts no further process while its children are listed.
    if (this.running && sendSignal(this.pid, "SIGSTOP")) {
      const children = await childrenOf(this.pid);
      sendSignal(this.pid, "SIGKILL");
      for (const child of children) {
        sendSignal(child, "SIGKILL");
      }
    } else if ((await lockHolder(this.#dataDir)) === this.pid) {
      // The main process was killed by somebody else, and no other server has taken over since.
      await killOrphans(this.#dataDir);
    }
    await this.gone;
  }

  async #goneWithin(deadlineMs: number): Promise<boolean> {
    const { promise: tooLate, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), deadlineMs);
    const inTime = await Promise.race([this.gone.then(() => true), tooLate]);
    clearTimeout(timer);
    return inTime;
  }
}
