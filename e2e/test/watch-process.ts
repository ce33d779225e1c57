import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { programEnvironment, programPath } from "@multipooler/pooler-process";

/** A command that prints lines until it is stopped, e.g. `ctl topo watch`. */
export class WatchProcess implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #ended: Promise<number | null>;
  #complaints = "";
  #changed = Promise.withResolvers<void>();

  constructor(args: readonly string[]) {
    this.#child = spawn(process.execPath, [programPath(), ...args], {
      env: programEnvironment(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    const { promise, resolve } = Promise.withResolvers<number | null>();
    this.#child.once("close", resolve);
    this.#ended = promise;
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => (this.#complaints += text));
    createInterface(this.#child.stdout).on("line", (line) => {
      this.lines.push(line);
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    });
  }

  /** Everything on standard error. */
  get complaints(): string {
    return this.#complaints;
  }

  /** Resolves with the first line, also a past one, that matches; rejects when the command ends. */
  async line(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = this.lines.find((line) => pattern.test(line));
      if (found !== undefined) {
        return found;
      }
      await Promise.race([this.#changed.promise, this.#failure()]);
    }
  }

  /** Ctrl-C. Resolves with the exit code. */
  async interrupt(): Promise<number | null> {
    this.#child.kill("SIGINT");
    return this.#ended;
  }

  /** Stops reading, as `| head` does. */
  leave(): void {
    this.#child.stdout.destroy();
  }

  /** Resolves with the exit code; `null` after a signal. */
  ended(): Promise<number | null> {
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  async #failure(): Promise<never> {
    const code = await this.#ended;
    throw new Error(`the command ended with ${code}: ${this.#complaints}`);
  }
}
