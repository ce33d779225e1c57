import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { programEnvironment, programPath } from "@multipooler/pooler-process";
import type { PoolerExit } from "@multipooler/pooler-process";

/** How a {@link LaunchedProgram} is started. */
export interface Launch {
  /** A command line as a harness has it, without the name of the program. */
  readonly line: string;
  readonly env: Readonly<Record<string, string>>;
}

/** The program, started by a whole launch line. Ends with its scope. */
export class LaunchedProgram implements AsyncDisposable {
  readonly exited: Promise<PoolerExit>;
  readonly #kill: (signal: NodeJS.Signals) => void;
  #complaints = "";

  constructor({ line, env }: Launch) {
    const child = spawn(process.execPath, [programPath(), ...line.split(/\s+/)], {
      env: { ...programEnvironment(), ...env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const { promise, resolve } = Promise.withResolvers<PoolerExit>();
    child.once("close", (code, signal) => resolve({ code, signal }));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.#complaints += text));
    this.exited = promise;
    this.#kill = (signal) => child.kill(signal);
  }

  /** Everything on standard error. */
  get complaints(): string {
    return this.#complaints;
  }

  /** SIGTERM, then waits for the end. */
  async stop(): Promise<PoolerExit> {
    this.#kill("SIGTERM");
    return await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#kill("SIGKILL");
    await this.exited;
  }
}

/** The messages in a log file of JSON lines, with their fields. */
export async function logLines(
  path: string,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const content = await readFile(path, "utf8");
  return content
    .split("\n")
    .filter((line) => line !== "")
    .map((text) => {
      const line: unknown = JSON.parse(text);
      return typeof line === "object" && line !== null ? { ...line } : {};
    });
}
