import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Where the topology of a child process is. */
export interface ChildTopology {
  readonly backend: "etcd" | "sqlite";
  readonly serverAddress: string;
}

/** A process of its own that works on a topology. */
export class RunningChild {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown[]>;
  readonly #lines: AsyncIterableIterator<string>;

  constructor(script: string, { backend, serverAddress }: ChildTopology, argument: number) {
    const file = join(import.meta.dirname, script);
    const args = [file, backend, serverAddress, String(argument)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    this.#child = child;
    this.#ended = once(child, "close");
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** What it writes, line by line. */
  lines(): AsyncIterableIterator<string> {
    return this.#lines;
  }

  /** Resolves to the code that it ended with by itself. */
  async exitCode(): Promise<unknown> {
    const [code] = await this.#ended;
    return code;
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}
