import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { programEnvironment, programPath } from "./program.ts";

/** One line of the program's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

export interface PoolerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StartPoolerOptions {
  /**
   * Flags by name without dashes. Unless given, both ports are free ones, the topology is in memory, and
   * a stop drains at once.
   */
  readonly flags: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Options for Node itself, e.g. `--expose-gc`. */
  readonly nodeOptions?: readonly string[];
  /**
   * Descriptor of the log. With it the log cannot be read through the process, so that the ports
   * must be chosen by flags.
   */
  readonly stdout?: number;
  /** Limit of open files, soft and hard. */
  readonly openFiles?: number;
}

/** A pooler that runs as a process of its own, as operators run it. */
export interface PoolerProcess extends AsyncDisposable {
  readonly pid: number;
  readonly exited: Promise<PoolerExit>;
  /** What it logged so far, and everything on standard error. */
  readonly log: readonly LogLine[];
  readonly complaints: () => string;
  /**
   * The address of its HTTP probes, e.g. "http://127.0.0.1:4711", once it listens. It and the next two
   * are read from the log: they reject where no line says so in 30 s, as with `--log-level warn`.
   */
  http(): Promise<string>;
  /** The address of its gRPC server, e.g. "127.0.0.1:4711", once it listens. */
  grpc(): Promise<string>;
  /** The address for psql and drivers, once it listens there; needs `--pg-listen-port`. */
  pgwire(): Promise<string>;
  /**
   * Resolves with the first log line, also a past one, for which `wanted` is true. Rejects when the
   * program ends or the signal aborts first, with what it complained of.
   */
  logged(
    wanted: (line: LogLine) => boolean,
    options?: { readonly signal?: AbortSignal },
  ): Promise<LogLine>;
  /** Resolves when `/ready` answers with this status; asks again and again until the signal aborts. */
  ready(status: 200 | 503, options: { readonly signal: AbortSignal }): Promise<unknown>;
  /** Sends a signal. */
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, then waits for the end; SIGKILL after 15 s. */
  stop(): Promise<PoolerExit>;
}

const STOP_LIMIT_MS = 15_000;
const READY_POLL_MS = 20;
const LISTEN_LIMIT_MS = 30_000;

/** Starts the program. Resolves at once: its log and its probes show what it does next. */
export function startPooler(options: StartPoolerOptions): PoolerProcess {
  const defaults = {
    "http-port": "0",
    "grpc-port": "0",
    "topo-implementation": "memory",
    lameduck: "0",
  };
  const flags = { ...defaults, ...options.flags };
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
  const { nodeOptions = [], openFiles } = options;
  const command = [process.execPath, ...nodeOptions, programPath(), ...args];
  const [file = "", ...rest] = openFiles === undefined ? command : limited(openFiles, command);
  const child = spawn(file, rest, {
    env: { ...programEnvironment(), ...options.env },
    stdio: ["ignore", options.stdout ?? "pipe", "pipe"],
  });
  return new ChildPooler(child);
}

/** The process id stays that of the shell. */
function limited(openFiles: number, command: readonly string[]): readonly string[] {
  return ["/bin/sh", "-c", `ulimit -n ${openFiles}; exec "$@"`, "sh", ...command];
}

class ChildPooler implements PoolerProcess {
  readonly log: LogLine[] = [];
  readonly exited: Promise<PoolerExit>;
  readonly #child: ChildProcess;
  readonly #onLine = new Set<(line: LogLine) => void>();
  #complaints = "";

  constructor(child: ChildProcess) {
    this.#child = child;
    const { promise, resolve } = Promise.withResolvers<PoolerExit>();
    child.once("close", (code, signal) => resolve({ code, signal }));
    this.exited = promise;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.#complaints += text));
    if (child.stdout !== null) {
      createInterface(child.stdout).on("line", (text) => this.#take(text));
    }
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) {
      throw new Error("the pooler could not be started");
    }
    return pid;
  }

  readonly complaints = (): string => this.#complaints;

  async http(): Promise<string> {
    return `http://${await this.#listening("HTTP listens")}`;
  }

  grpc(): Promise<string> {
    return this.#listening("gRPC listens");
  }

  pgwire(): Promise<string> {
    return this.#listening("the port for PostgreSQL's clients listens");
  }

  #take(text: string): void {
    const line: unknown = JSON.parse(text);
    if (!isLogLine(line)) {
      return;
    }
    this.log.push(line);
    for (const listener of this.#onLine) {
      listener(line);
    }
  }

  /** The port can be chosen by the system, so that only the log has it. */
  async #listening(message: string): Promise<string> {
    const signal = AbortSignal.timeout(LISTEN_LIMIT_MS);
    const line = await this.logged(({ msg }) => msg === message, { signal });
    return `${String(line["address"])}:${String(line["port"])}`;
  }

  logged(
    wanted: (line: LogLine) => boolean,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<LogLine> {
    const past = this.log.find(wanted);
    if (past !== undefined) {
      return Promise.resolve(past);
    }
    const { promise, resolve, reject } = Promise.withResolvers<LogLine>();
    const onLine = (line: LogLine): void => {
      if (wanted(line)) {
        resolve(line);
      }
    };
    this.#onLine.add(onLine);
    const giveUp = (why: string): void => reject(new Error(`${why}: ${this.#complaints}`));
    const onAbort = (): void =>
      giveUp("the pooler did not log the line in time, or --log-level hides it");
    if (signal?.aborted === true) {
      onAbort();
    }
    signal?.addEventListener("abort", onAbort, { once: true });
    void this.exited.then(() => giveUp("the pooler ended first"));
    return promise.finally(() => {
      this.#onLine.delete(onLine);
      signal?.removeEventListener("abort", onAbort);
    });
  }

  async ready(status: 200 | 503, { signal }: { readonly signal: AbortSignal }): Promise<unknown> {
    const address = await this.http();
    for (;;) {
      const response = await fetch(`${address}/ready`, { signal });
      const body: unknown = await response.json();
      if (response.status === status) {
        return body;
      }
      // A probe is what an orchestrator has: it polls too.
      await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async stop(): Promise<PoolerExit> {
    const limit = setTimeout(() => this.kill("SIGKILL"), STOP_LIMIT_MS);
    this.kill("SIGTERM");
    try {
      return await this.exited;
    } finally {
      clearTimeout(limit);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function isLogLine(value: unknown): value is LogLine {
  return (
    typeof value === "object" && value !== null && "msg" in value && typeof value.msg === "string"
  );
}
